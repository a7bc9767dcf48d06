"""Peak under the real CLI: a failure states its reason, and the next `up` continues."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.pulumi.conftest import Cloud
from tests.pulumi.deployment import Deployment
from tests.pulumi.test_standin_nodes import until

STACK = "peak"
SPACE = "tpuserve-peak"
STOCKOUT = (
    "target.capacity spot asks for a v6e-4 in us-east5-b, where Google has none free now; set target.zone to "
    "us-east5-a, set target.capacity.kind to on-demand or flex-start or reservation, or run `pulumi up` "
    "again later: it goes on where it stopped."
)


@pytest.fixture(scope="module")
def peak(cloud: Cloud) -> Iterator[Deployment]:
    """Yields the stack; the tests bring it up step by step."""
    with cloud.stack(STACK, {}) as deployment:
        yield deployment


def pool(deployment: Deployment) -> str:
    """Returns the id of the pool of slices."""
    [found] = [name for name in deployment.console.objects() if "/nodePools/v6e-4-" in name]
    return found


def test_a_first_preview_keeps_the_policies(peak: Deployment, cloud: Cloud) -> None:
    shown = peak.good("preview", *cloud.pack)
    assert "to create" in shown and "tpuserve" in shown.partition("Policies:")[2]


def test_a_cluster_that_takes_too_long_is_taken_over(peak: Deployment) -> None:
    peak.console.order({"fault": "timeout", "type": "*Cluster"})
    assert "timeout while waiting for state to become 'DONE'" in peak.bad("up", "--yes", "--skip-preview")
    assert peak.state()["cluster-control-plane"]["initErrors"]


def test_no_capacity_is_one_sentence_and_comes_later(peak: Deployment) -> None:
    peak.console.order({"fault": "stockout", "name": "*v6e*"})
    shown = peak.bad("up", "--yes", "--skip-preview")
    assert shown.partition("Diagnostics:")[2].count(STOCKOUT) == 1 and "Traceback" not in shown
    peak.console.order()
    peak.up()
    assert peak.console.find(pool(peak))["state"] == "RUNNING"
    peak.good("up", "--yes", "--skip-preview", "--expect-no-changes")
    peak.good("refresh", "--yes", "--skip-preview", "--expect-no-changes")


def test_another_failure_is_no_stockout(peak: Deployment) -> None:
    peak.change({"replicas": 2})
    peak.console.order({"fault": "unavailable", "type": "*NodePool", "on": "update"})
    shown = peak.bad("up", "--yes", "--skip-preview")
    assert "Error 503" in shown and STOCKOUT not in shown
    peak.console.order()
    peak.up()
    peak.good("preview", "--expect-no-changes")


def test_a_pool_whose_answer_was_lost_is_imported(peak: Deployment) -> None:
    """Follows docs/operations.md for `already exists`."""
    peak.change({"target.capacity": {"kind": "on-demand"}})
    peak.console.order({"fault": "lost", "type": "*NodePool"})
    assert "unexpected EOF" in peak.bad("up", "--yes", "--skip-preview")
    peak.console.order()
    assert "alreadyExists" in peak.bad("up", "--yes", "--skip-preview")
    [lost] = [name for name in peak.console.objects() if "/nodePools/v6e-4-on-demand" in name]
    urns = {name: item["urn"] for name, item in peak.state().items()}
    peak.good(
        "import",
        "gcp:container/nodePool:NodePool",
        f"slices-{lost.rsplit('/', 1)[1]}",
        lost,
        f"--parent=slices={urns['slices']}",
        f"--provider=google={urns['google']}",
        "--protect=false",
        "--generate-code=false",
        "--yes",
    )
    peak.up()
    assert pool(peak) == lost
    peak.good("preview", "--expect-no-changes")


def test_a_pod_for_another_slice_waits_and_says_why(peak: Deployment, cloud: Cloud) -> None:
    del peak
    [server, *_] = cloud.items("deployments", "-n", SPACE)
    spec: dict[str, Any] = server["spec"]["template"]["spec"]
    spec["nodeSelector"]["cloud.google.com/gke-tpu-topology"] = "4x4"
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "lost", "namespace": SPACE}, "spec": spec}
    cloud.plane.kubectl("create", "-f", "-", text=json.dumps(pod))

    def said() -> str:
        [found] = [item for item in cloud.items("pods", "-n", SPACE) if item["metadata"]["name"] == "lost"]
        assert found["status"]["phase"] == "Pending"
        return (found["status"].get("conditions") or [{}])[0].get("message", "")

    until(lambda: "didn't match Pod's node affinity/selector" in said(), "the pod says why it waits")
    cloud.plane.kubectl("delete", "pod", "lost", "-n", SPACE, "--force", "--grace-period=0")


def test_taken_down_it_leaves_weights_and_secrets(peak: Deployment) -> None:
    peak.good("destroy", "--yes")
    there = peak.console.objects()
    assert not [name for name in there if "/clusters/" in name]
    for kept in (
        "inventory-project-tpuserve",
        "/secrets/tpuserve-api-key-peak",
        "/secrets/tpuserve-hugging-face-token",
    ):
        assert [name for name in there if name.endswith(kept)], kept
