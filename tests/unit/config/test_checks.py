"""Settings that a target cannot have: refused by every command that reads a stack file, without Pulumi."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from config.checks import problems
from config.selection import from_stack
from config.settings import Settings
from tests.inventory.recorder import REPOSITORY

LOCAL: list[tuple[dict[str, Any], str]] = [
    (
        {"allowed_media_domains": ["images.example.com"]},
        "engine.allowed_media_domains is set, and the local cluster has no DNS and no route to the internet; "
        "remove it, and send media as data: URLs.",
    ),
    (
        {"otlp_traces_endpoint": "http://collector.observability.svc:4317"},
        "engine.otlp_traces_endpoint is set, and the local cluster has no DNS and no collector; remove it, "
        "or use a GKE stack.",
    ),
]


def test_an_option_of_a_compute_class_has_no_wait_of_its_own() -> None:
    flex = {"kind": "flex-start", "wait_minutes": 10}
    capacity = {"kind": "compute-class", "rungs": [{"kind": "spot"}, flex]}
    target = {"kind": "gke", "project": "acme-llm", "zone": "us-east5-b", "capacity": capacity}
    found = [*problems(Settings.parse({"target": target}), placeholders=True)]
    assert (
        "target.capacity.rungs has an option with wait_minutes, and a deployment waits once for whatever GKE "
        "gives it; set target.capacity.wait_minutes, and remove it from the option."
    ) in found
    del flex["wait_minutes"]
    assert not any(
        "rungs" in each for each in problems(Settings.parse({"target": target}), placeholders=True)
    )


@pytest.mark.parametrize(("engine", "sentence"), LOCAL, ids=[next(iter(engine)) for engine, _ in LOCAL])
def test_the_local_cluster_leads_nowhere(engine: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    content = yaml.safe_load((REPOSITORY / "Pulumi.local.yaml").read_text("utf-8"))
    file = tmp_path / "Pulumi.local.yaml"
    file.write_text(yaml.safe_dump(content), "utf-8")
    assert from_stack("local", tmp_path).candidate
    content["config"]["tpuserve:engine"] |= engine
    file.write_text(yaml.safe_dump(content), "utf-8")
    with pytest.raises(ValueError) as caught:
        from_stack("local", tmp_path)
    assert str(caught.value) == sentence
