"""The alerts and situations in the form of promtool, which runs them with Prometheus' own engine."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from serving.monitoring import alerts, slo
from serving.monitoring.alerts import Alert
from serving.monitoring.scope import Scope
from serving.monitoring.thresholds import Thresholds

FILE = Path(__file__).parent / "situations.yaml"

LIMITS = Thresholds(
    servers=2,
    requests_at_once=8,
    boot_seconds=1200,
    free_hbm_bytes=2 * 2**30,
    first_token_seconds=0.5,
    has_archive=True,
    key_days=90,
)
PODS = Scope({}, "pod")
OBJECTIVES = slo.objectives(0.995, 0.95, LIMITS.first_token_seconds)
ALERTS = (*alerts.alerts(LIMITS, PODS), *slo.burn_alerts(OBJECTIVES, PODS))

Situation = Mapping[str, Any]


def situations() -> list[Situation]:
    """Returns the rows of situations.yaml."""
    return yaml.safe_load(FILE.read_text("utf-8"))


def unit_tests(rules: Path, rows: Sequence[Situation]) -> str:
    """Returns promtool's unit tests of `rules`: every alert is looked at in every situation."""
    names = list(dict.fromkeys(alert.name for alert in ALERTS))
    tests = [
        {
            "name": row["situation"],
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in row["series"].items()],
            "alert_rule_test": [
                {"eval_time": f"{row['minutes']}m", "alertname": name, "exp_alerts": _expected(name, row)}
                for name in names
            ],
        }
        for row in rows
    ]
    return yaml.safe_dump({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": tests})


def _expected(name: str, row: Situation) -> list[dict[str, object]]:
    if name not in row["fires"]:
        return []
    return [
        {
            "exp_labels": {"severity": alert.severity, **row["fires"][name]},
            "exp_annotations": {"summary": alert.why, "runbook": alert.runbook},
        }
        for alert in ALERTS
        if alert.name == name and _counts(alert, row)
    ]


def _counts(alert: Alert, row: Situation) -> bool:
    """Returns whether a row expects this alert: `severity` in a row leaves out those of other severities."""
    return alert.severity in row.get("severities", ("critical", "warning"))
