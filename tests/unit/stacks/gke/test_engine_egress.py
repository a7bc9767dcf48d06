"""Network policy rules that follow from the engine: media and traces."""

from typing import Any

import pytest

from components.kubernetes.egress_rules import INTERNET
from serving.engine.phases import engine_for
from stacks.gke.pod_inputs import engine_egress

COLLECTOR = {
    "to": [{"namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": "observability"}}}],
    "ports": [{"port": 4317, "protocol": "TCP"}],
}


@pytest.mark.parametrize(
    ("overrides", "rules"),
    [
        ({}, []),
        ({"allowed_media_domains": ["images.example.com"]}, [INTERNET]),
        ({"otlp_traces_endpoint": "http://collector.observability.svc:4317"}, [COLLECTOR]),
        ({"otlp_traces_endpoint": "http://collector.observability.svc.cluster.local:4317"}, [COLLECTOR]),
    ],
)
def test_an_engine_opens_what_it_calls_and_nothing_else(overrides: dict[str, Any], rules: list[Any]) -> None:
    assert engine_egress(engine_for("tuned", None, overrides)) == rules
