"""Rule file of Prometheus with the alerts of a stack.

Form: https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/
"""

from collections.abc import Sequence

import yaml

from serving.monitoring.alerts import Alert

GROUP = "tpuserve"


def rule_file(alerts: Sequence[Alert]) -> str:
    """Returns the file's text in YAML."""
    rules = [
        {
            "alert": alert.name,
            "expr": alert.query,
            "for": f"{alert.for_seconds}s",
            "labels": {"severity": alert.severity},
            "annotations": {"summary": alert.why, "runbook": alert.runbook},
        }
        for alert in alerts
    ]
    return yaml.safe_dump({"groups": [{"name": GROUP, "rules": rules}]}, sort_keys=False, width=100)
