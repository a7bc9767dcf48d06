"""Every query parses, and every series and label in it is one that a server shows."""

import json
from collections.abc import Iterator
from pathlib import Path

import promql_parser
import pytest
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.parser import text_string_to_metric_families

import agent.server.metrics
from agent.sidecar import libtpu
from agent.sidecar import settings as sidecar_settings
from agent.sidecar.key_age import KeyAge
from agent.sidecar.lifecycle import Lifecycle
from agent.sidecar.metrics import SidecarMetrics, page
from agent.sidecar.verdict import CheckResult, Verdict
from serving.deploy import collector
from serving.monitoring import alerts, panels, slo
from serving.monitoring.scope import Scope
from tests.unit.agent.sidecar.conftest import content, write_events
from tests.unit.serving.monitoring import promtool, series

SCOPES = (
    Scope({}, "instance"),
    Scope({"namespace": "tpuserve"}, "pod"),
    Scope({"cluster": "tpuserve-prod", "namespace": "tpuserve-prod"}, "pod"),
    Scope({"cluster": collector.CLUSTER, "namespace": "tpuserve-dev"}, "instance"),
)
COLLECTED = {"cluster", "namespace", "pod", "instance"}
"""Labels that a collector adds."""

RESERVED = {"project_id", "location", "cluster", "namespace", "job", "instance"}
"""Labels of the monitored resource `prometheus_target`. Cloud Monitoring rejects a metric that has one
itself (https://cloud.google.com/stackdriver/docs/managed-prometheus/setup-otel)."""

Series = dict[str, set[str]]


def queries(scope: Scope) -> list[str]:
    """Returns every query of alerts and panels."""
    rows = (*alerts.alerts(promtool.LIMITS, scope), *slo.burn_alerts(promtool.OBJECTIVES, scope))
    lines = [line.query for panel in panels.panels(scope) for line in panel.lines]
    return [*(row.query for row in rows), *lines]


def selectors(query: str) -> list[tuple[str, set[str]]]:
    """Returns the series that a query reads, each with the labels that it matches."""
    found: list[tuple[str, set[str]]] = []

    def visit(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.MatrixSelector):
            node = node.vector_selector
        if isinstance(node, promql_parser.VectorSelector):
            assert node.name is not None
            found.append((node.name, {matcher.name for matcher in node.matchers.matchers}))
        return True

    promql_parser.walk(promql_parser.parse(query), pre_visit=visit)
    return found


def shown(text: str) -> Iterator[tuple[str, set[str]]]:
    """Yields the series of a page of metrics, with their labels."""
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield sample.name, {*sample.labels}


@pytest.fixture
def scraped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Series:
    """The series of a server that serves, with their labels."""
    (tmp_path / "sidecar.json").write_text(json.dumps(content(tmp_path)))
    settings = sidecar_settings.read(tmp_path / "sidecar.json")
    write_events(tmp_path)
    for name in ("restore", "publish"):
        (tmp_path / f"cache-{name}.json").write_text('{"result": "restored", "seconds": 1.0}')
    life, key = Lifecycle(settings, ""), KeyAge("projects/p/secrets/s")
    check = CheckResult(name="chat", result="passed", sentence="x", seconds=1.0)
    life.verdicts.begin(
        Verdict(release="ab12cd34", state="accepted", sentence="x", checks=(check,), finished=9.0)
    )
    life.records.results = {"record": "written"}
    key.created = 1.0
    monkeypatch.setattr(libtpu, "read", lambda metric, seconds: {0: 1.0})
    assert agent.server.metrics.DRAINING in REGISTRY._collector_to_names  # pyright: ignore[reportPrivateUsage]
    texts = (page(SidecarMetrics(settings, life, key)), generate_latest(REGISTRY))
    found: Series = {name: set(labels) for name, labels in series.recorded().items()}
    for text in texts:
        for name, labels in shown(text.decode()):
            found.setdefault(name, set()).update(labels)
    return found


@pytest.mark.parametrize("scope", SCOPES, ids=lambda scope: "-".join(scope.labels) or "none")
def test_every_series_and_label_of_a_query_exists(scraped: Series, scope: Scope) -> None:
    read = [(name, labels) for query in queries(scope) for name, labels in selectors(query)]
    assert len(read) > 40
    missing = [
        f"{name} {sorted(labels)}"
        for name, labels in read
        if not labels <= scraped.get(name, set()) | COLLECTED
    ]
    assert missing == []
    assert {name for name, _ in read} <= scraped.keys()


@pytest.mark.parametrize("scope", SCOPES, ids=lambda scope: "-".join(scope.labels) or "none")
def test_every_selector_is_limited_to_the_stack(scope: Scope) -> None:
    for query in queries(scope):
        for name, labels in selectors(query):
            assert {*scope.labels} <= labels, f"{name} in {query} reads the series of other stacks"


def test_no_series_has_a_label_that_cloud_monitoring_takes_from_the_machine(scraped: Series) -> None:
    """The collector of a TPU VM does not rename them, and Cloud Monitoring would reject the series."""
    assert {name: labels for name, labels in scraped.items() if labels & RESERVED} == {}


def test_every_series_of_a_situation_exists(scraped: Series) -> None:
    for row in promtool.situations():
        for text in row["series"]:
            ((name, labels),) = selectors(text)
            assert labels <= scraped[name] | COLLECTED, text
