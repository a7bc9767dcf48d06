"""Staging under the real CLI, against a real API server: its life, and what each change of its file does."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.pulumi.conftest import Cloud
from tests.pulumi.deployment import Deployment, in_the_way, steps
from tests.pulumi.gke_changes import NEXT_IMAGE, RELEASE, ROWS, answering
from tools.fake_gcp.kubernetes.nodes import Server

STACK = "staging"
SPACE = "tpuserve-staging"
AS_ROOT = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "as-root"},
    "spec": {
        "securityContext": {"runAsUser": 0, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "one",
                "image": "none",
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    },
}
"""Pod that breaks the level restricted only by its user."""


@pytest.fixture(scope="module")
def staging(cloud: Cloud) -> Iterator[Deployment]:
    """Yields the stack, up, under the policies."""
    with cloud.stack(STACK, {}) as deployment:
        deployment.good("up", "--yes", *cloud.pack)
        yield deployment


@pytest.fixture(scope="module")
def resources(staging: Deployment) -> dict[str, dict[str, Any]]:
    """Returns the resources of the stack, by name, before any row changes them."""
    return staging.state()


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


@pytest.mark.parametrize(
    ("changes", "answer", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_a_change_does_this_and_nothing_else(
    staging: Deployment,
    resources: dict[str, dict[str, Any]],
    changes: dict[str, Any],
    answer: int,
    expected: dict[str, str],
) -> None:
    staging.change(changes)
    planned = staging.planned()
    assert steps(planned) == expected
    assert in_the_way(planned) == []
    assert answering(planned, resources) == answer


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


def test_an_unfinished_job_is_replaced_and_a_finished_one_stays(staging: Deployment, cloud: Cloud) -> None:
    """The Job's spec is ignored while the Job counts as finished, whatever the image is."""
    [finished] = cloud.items("jobs", "-n", SPACE)
    template = finished["spec"]["template"]
    name, labels = finished["metadata"]["name"], {"app.kubernetes.io/name": "weights"}
    unfinished = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": SPACE},
        "spec": {"suspend": True, "template": {"metadata": {"labels": labels}, "spec": template["spec"]}},
    }
    cloud.plane.kubectl("delete", "job", name, "-n", SPACE)
    cloud.plane.kubectl("create", "-f", "-", text=json.dumps(unfinished))
    changes = {"model_revision": "f" * 40, "image": NEXT_IMAGE}
    staging.change(changes)
    assert staging.steps() == {**RELEASE, "weights-job": "replace"}
    staging.up()
    [job] = cloud.items("jobs", "-n", SPACE)
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert (job["metadata"]["name"], job["status"]["succeeded"]) == (name, 1)
    assert container["image"].endswith(NEXT_IMAGE.partition("@")[2])
    staging.good("preview", "--expect-no-changes")


def test_a_server_as_root_is_admitted_only_where_its_stack_asks_for_it(
    staging: Deployment, cloud: Cloud
) -> None:
    """Pod Security's own answers: the namespace's level follows `target.run_as`, there and back."""
    changes = {"model_revision": "f" * 40, "image": NEXT_IMAGE}
    rows = (
        ("user", 10001, "restricted", 403),
        ("root", 0, "baseline", 201),
        ("user", 10001, "restricted", 403),
    )
    for run_as, uid, level, answer in rows:
        staging.change({**changes, "target.run_as": run_as})
        staging.up()
        [space] = [item for item in cloud.items("namespaces") if item["metadata"]["name"] == SPACE]
        assert space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == level
        [pod] = cloud.items("pods", "-n", SPACE, "-l", "app.kubernetes.io/name=vllm")
        assert (pod["status"]["phase"], pod["spec"]["securityContext"]["runAsUser"]) == ("Running", uid)
        with Server.of(str(cloud.plane.kubeconfig)).client() as client:
            tried = client.post(f"/api/v1/namespaces/{SPACE}/pods?dryRun=All", json=AS_ROOT)
        assert tried.status_code == answer and ("PodSecurity" in tried.text) == (answer == 403)
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
