"""A fake cluster that is a real API server: node pools become nodes, and the scheduler places pods."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.pulumi.program import Program
from tests.pulumi.test_standin import gke
from tools.fake_gcp.auth import VERSION
from tools.fake_gcp.cloud.gke import VARIABLE
from tools.fake_gcp.install import install_auth
from tools.fake_gcp.kubernetes.control_plane import ControlPlane

POLL_SECONDS = 0.5


def pod(name: str, topology: str = "2x2", chips: int = 4) -> dict[str, Any]:
    """Returns a pod as a TPU workload declares it on GKE."""
    resources = {"google.com/tpu": str(chips)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "nodeSelector": {
                "cloud.google.com/gke-tpu-accelerator": "tpu-v6e-slice",
                "cloud.google.com/gke-tpu-topology": topology,
            },
            "tolerations": [{"key": "google.com/tpu", "operator": "Exists"}],
            "containers": [
                {"name": "vllm", "image": "x", "resources": {"limits": resources, "requests": resources}}
            ],
        },
    }


def until(holds: Callable[[], bool], what: str, seconds: float = 300) -> None:
    """Wait until `holds` returns true."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"after {seconds} s: {what}"
        time.sleep(POLL_SECONDS)


def test_pools_are_nodes(plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nodes() -> list[dict[str, Any]]:
        everybodys = json.loads(plane.kubectl("get", "nodes", "-o", "json"))["items"]
        return [each for each in everybodys if each["metadata"]["name"].startswith("gke-serving-")]

    def status(name: str) -> dict[str, Any]:
        return json.loads(plane.kubectl("get", "pod", name, "-o", "json"))["status"]

    def reason(name: str) -> str:
        return (status(name).get("conditions") or [{}])[0].get("message", "")

    monkeypatch.setenv(VARIABLE, str(plane.kubeconfig))
    program = Program(tmp_path)
    program.write(gke())
    program.up()
    outputs = program.state()["cluster"]["outputs"]
    config = json.loads(plane.kubeconfig.read_text())["clusters"][0]["cluster"]
    assert f"https://{outputs['endpoint']}" == config["server"]
    assert outputs["masterAuth"]["clusterCaCertificate"] == config["certificate-authority-data"]

    [node] = nodes()
    labels, allocatable = node["metadata"]["labels"], node["status"]["allocatable"]
    assert labels["cloud.google.com/gke-tpu-accelerator"] == "tpu-v6e-slice"
    assert labels["cloud.google.com/gke-tpu-topology"] == "2x2"
    assert labels["cloud.google.com/gke-nodepool"] == "tpu-v6e-4" and labels["pool"] == "tpu"
    assert labels["topology.kubernetes.io/zone"] == "us-east5-b"
    assert allocatable["google.com/tpu"] == "4" and allocatable["cpu"] == "180"
    assert {"key": "google.com/tpu", "value": "present", "effect": "NoSchedule"} in node["spec"]["taints"]

    plane.kubectl("apply", "-f", "-", text=json.dumps(pod("right")))
    until(lambda: status("right").get("phase") == "Running", "the right pod runs")
    for each in (pod("wrong", topology="4x4"), pod("second")):
        plane.kubectl("apply", "-f", "-", text=json.dumps(each))
    until(lambda: "didn't match Pod's node affinity/selector" in reason("wrong"), "the wrong pod says why")
    until(lambda: "Insufficient google.com/tpu" in reason("second"), "the second pod says why")

    program.console.scale("nodePools/tpu-v6e-4", 2)
    until(lambda: status("second").get("phase") == "Running", "the second pod got a node")
    program.write(gke(labels={"pool": "tpu", "team": "serving"}))
    program.up()
    assert all(each["metadata"]["labels"]["team"] == "serving" for each in nodes())
    program.good("destroy", "--yes", "--skip-preview")
    assert nodes() == []


def test_the_login_plugin_lets_kubectl_in(
    plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(plane.kubeconfig))
    config = json.loads(plane.kubeconfig.read_text())
    program = install_auth(tmp_path) / "gke-gcloud-auth-plugin"
    config["users"][0]["user"] = {
        "exec": {
            "apiVersion": VERSION,
            "command": str(program),
            "interactiveMode": "Never",
        }
    }
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(config))
    answer = plane.kubectl(f"--kubeconfig={file}", "auth", "whoami", "-o", "json")
    assert json.loads(answer)["status"]["userInfo"]["username"] == "admin"
