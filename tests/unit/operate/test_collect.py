"""Documents of a stack: all that a diagnosis reads, from a kubectl that answers like the real one."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from operate import collect
from operate.access import Access
from operate.diagnosis import of_cluster
from tests.unit.operate import fake_kubectl
from tests.unit.operate.diagnosis import recorded


@pytest.fixture
def access(tmp_path: Path) -> Access:
    """Returns the access to a cluster with the healthy stack."""
    objects = [
        {"kind": "Deployment", **recorded.deployment()},
        {"kind": "Deployment", "metadata": {"name": "other"}},
        {"kind": "Pod", **recorded.HEALTHY.pods[0]},
        {"kind": "Pod", "metadata": {"name": "load-test", "labels": {}}},
        {"kind": "Pod", **recorded.job_pod(recorded.running("stage"))},
        {"kind": "Job", **recorded.HEALTHY.jobs[0]},
        {"kind": "Job", "metadata": {"name": "load-test"}},
        {"kind": "Event", **recorded.event("Pulled", "image")},
        {"kind": "NetworkPolicy", **recorded.policy()},
    ]
    fake_kubectl.write(tmp_path, objects, [recorded.node()])
    for port, page, text in (
        ("8001", "acceptance", json.dumps(recorded.ACCEPTED)),
        (
            "8001",
            "metrics",
            "# TYPE tpuserve_slow_compilations counter\ntpuserve_slow_compilations_total 2.0\n",
        ),
        ("8000", "metrics", "vllm:num_requests_waiting 0.0\n"),
    ):
        (tmp_path / port).mkdir(exist_ok=True)
        (tmp_path / port / page).write_text(text, "utf-8")
    words = (sys.executable, fake_kubectl.__file__, str(tmp_path), "--kubeconfig", "k")
    return Access("staging", words, "tpuserve-staging", "log in")


def rewritten(folder: Path, pod: dict[str, Any]) -> None:
    """Has the cluster show another pod of the server."""
    content = json.loads((folder / "objects.json").read_text("utf-8"))["items"]
    content[2] = {"kind": "Pod", **pod}
    fake_kubectl.write(folder, content, [recorded.node()])


def test_everything_about_a_stack_is_collected(access: Access) -> None:
    found = collect.evidence(access, local=False)
    assert found.deployment is not None and found.deployment["metadata"]["name"] == "vllm"
    assert [pod["metadata"]["name"] for pod in found.pods] == [recorded.POD]
    assert [job["metadata"]["name"] for job in found.jobs] == ["weights-1f2e3d4c"]
    assert [pod["metadata"]["name"] for pod in found.job_pods] == ["weights-1f2e3d4c-9pqrs"]
    assert (len(found.events), len(found.policies), len(found.nodes)) == (1, 1, 1)
    assert found.pages[recorded.POD].acceptance == recorded.ACCEPTED
    assert of_cluster(found)[1].startswith(
        f"1 of 1 servers of staging serve: requests to pod {recorded.POD} waited for 2 slow compilations"
    )


def test_pods_that_the_user_may_not_read_are_left_out(access: Access) -> None:
    assert list(collect.evidence(access, local=False).dns_pods) == []


def test_logs_are_those_of_containers_that_are_not_ready(access: Access, tmp_path: Path) -> None:
    rewritten(tmp_path, recorded.pod(recorded.ended("vllm", 1, "Error"), recorded.running("sidecar")))
    logs = collect.evidence(access, local=False).logs
    name = recorded.POD
    assert logs[name, "vllm"] == f"log of {name} -c vllm --tail 20 --previous\n"
    assert (name, "sidecar") not in logs and (name, "restore-cache") not in logs


def test_a_pod_without_a_sidecar_has_no_pages(access: Access, tmp_path: Path) -> None:
    rewritten(tmp_path, recorded.pod(*recorded.creating(), init=recorded.UNINITIALIZED))
    assert collect.evidence(access, local=False).pages == {}
    assert "port-forward" not in (tmp_path / "calls").read_text("utf-8")


def test_a_page_that_is_not_json_is_no_verdict(access: Access, tmp_path: Path) -> None:
    (tmp_path / "8001" / "acceptance").write_text("<html>", "utf-8")
    pages = collect.evidence(access, local=False).pages[recorded.POD]
    assert pages.acceptance is None and "num_requests_waiting" in pages.metrics
