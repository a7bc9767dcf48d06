"""Staging under the real CLI, against a real API server: its life, and what each change of its file does."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.pulumi.conftest import Cloud
from tests.pulumi.deployment import Deployment
from tests.pulumi.gke_changes import ROWS
from tools.fake_gcp.kubernetes.nodes import Server

STACK = "staging"
SPACE = "tpuserve-staging"


@pytest.fixture(scope="module")
def staging(cloud: Cloud) -> Iterator[Deployment]:
    """Yields the stack, up, under the policies."""
    with cloud.stack(STACK, {}) as deployment:
        deployment.good("up", "--yes", *cloud.pack)
        yield deployment


def test_nothing_changes_by_itself(staging: Deployment) -> None:
    staging.good("up", "--yes", "--skip-preview", "--expect-no-changes")
    staging.good("refresh", "--yes", "--skip-preview", "--expect-no-changes")


def test_the_scheduler_found_the_slice_and_the_budget_keeps_the_server(
    staging: Deployment, cloud: Cloud
) -> None:
    del staging
    [pod] = cloud.items("pods", "-n", SPACE, "-l", "app.kubernetes.io/name=vllm")
    assert pod["status"]["phase"] == "Running"
    [node] = [item for item in cloud.items("nodes") if item["metadata"]["name"] == pod["spec"]["nodeName"]]
    labels = node["metadata"]["labels"]
    assert labels["cloud.google.com/gke-tpu-topology"] == "2x2"
    assert labels["cloud.google.com/gke-flex-start"] == "true"
    [staged] = cloud.items("pods", "-n", SPACE, "-l", "app.kubernetes.io/name=weights")
    assert staged["status"]["phase"] == "Succeeded" and "system" in staged["spec"]["nodeName"]

    name = pod["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": SPACE}}
    with Server.of(str(cloud.plane.kubeconfig)).client() as client:
        answer = client.post(f"/api/v1/namespaces/{SPACE}/pods/{name}/eviction", json=eviction)
    assert answer.status_code == 429 and "disruption budget" in answer.text


@pytest.mark.parametrize(("changes", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_change_does_this_and_nothing_else(
    staging: Deployment, changes: dict[str, Any], expected: dict[str, str]
) -> None:
    staging.change(changes)
    assert staging.steps() == expected


def test_a_zone_of_another_region_is_a_sentence(staging: Deployment) -> None:
    staging.change({"target.zone": "us-central1-b", "target.capacity": {"kind": "spot"}})
    shown = staging.bad("preview")
    assert (
        "target.zone is in us-central1, and network and bucket of the foundation foundation are in" in shown
    )
    assert "or another project with a foundation in us-central1: a project has one." in shown
    assert "Traceback" not in shown


def test_a_new_release_serves_before_the_service_points_at_it(staging: Deployment, cloud: Cloud) -> None:
    """A second revision of the weights is a second Job: the finished one never runs again."""
    staging.change({"engine": {"max_num_seqs": 64}, "model_revision": "f" * 40})
    staging.up()
    [server] = cloud.items("deployments", "-n", SPACE)
    [service] = cloud.items("services", "-n", SPACE)
    wanted = service["spec"]["selector"]
    assert wanted.items() <= server["spec"]["template"]["metadata"]["labels"].items()
    [job] = cloud.items("jobs", "-n", SPACE)
    assert "f" * 40 in job["spec"]["template"]["spec"]["containers"][0]["command"]
    staging.good("preview", "--expect-no-changes")


def test_destroyed_it_leaves_the_foundation(staging: Deployment, cloud: Cloud) -> None:
    staging.good("destroy", "--yes")
    there = staging.console.objects()
    assert [name for name in there if "clusters" in name or name.endswith("tpuserve-staging-internal")] == []
    assert [name for name in there if name.endswith(("-tpuserve", "/secrets/tpuserve-api-key-staging"))]
    assert SPACE not in [item["metadata"]["name"] for item in cloud.items("namespaces")]
    staging.use("foundation")
    staging.good("preview", "--expect-no-changes")
    staging.good("refresh", "--yes", "--skip-preview", "--expect-no-changes")
