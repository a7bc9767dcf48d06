"""A server that runs as root: the preview says what that means, and how to go back."""

from typing import Any

import pytest

from config.run_as_findings import run_as_findings
from config.settings import Settings
from config.stack_findings import stack_findings

PLACE = {"project": "acme-llm", "zone": "us-east5-b", "capacity": {"kind": "on-demand"}}
TARGETS: tuple[dict[str, Any], ...] = ({"kind": "local"}, {"kind": "gke", **PLACE})


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target["kind"])
def test_root_is_a_warning_that_says_what_it_means(target: dict[str, Any]) -> None:
    settings = Settings.parse({"target": {**target, "run_as": "root"}})
    (finding,) = run_as_findings(settings)
    assert str(finding) == (
        "target.run_as is root: server, sidecar and load test run as user 0 without capabilities, so an "
        "attacker who leaves a container is root on the node, and the namespace admits every pod of the Pod "
        "Security level baseline, also one as root, instead of restricted; write `run_as: user` "
        "under tpuserve:target, or keep it if the server's log ends with `/dev/vfio/…: Permission denied` "
        "without it."
    )
    assert finding in stack_findings(settings)
    for change in finding.changes:
        assert (
            run_as_findings(Settings.parse({"target": {**target, "run_as": change["target.run_as"]}})) == ()
        )


@pytest.mark.parametrize("target", (*TARGETS, {"kind": "tpu-vm", **PLACE}), ids=lambda target: target["kind"])
def test_the_default_has_no_warning(target: dict[str, Any]) -> None:
    assert run_as_findings(Settings.parse({"target": target})) == ()
