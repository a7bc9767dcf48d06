"""start, a second start, stop, and what each leaves behind.

The tests are one story: each begins with the cluster as the one before it has left it, or brings it there.
"""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local import cluster
from local.cluster import constants, preflight, processes
from local.commands.kubectl import kubectl
from tests.cluster.cluster_fixtures import DAEMONS, Probes, all_healthy, get, machine_state, run
from tools.support import paths
from tools.support.progress import Refusal

# Three times what an idle machine with two cores may take.
WARM_START_SECONDS = 60.0
NO_OP_SECONDS = 9.0


@pytest.fixture(scope="module")
def without_cluster(cluster_instance: None) -> dict[str, list[str]]:
    """Returns the machine's state when no cluster runs."""
    cluster.stop()
    return machine_state()


@pytest.fixture
def stopped(without_cluster: dict[str, list[str]]) -> None:
    """Stop the cluster if it runs."""
    cluster.stop()


@pytest.mark.parametrize("port", [constants.API_PORT, constants.KUBELET_PORT, constants.BUCKET_PORT])
def test_a_taken_port_is_named_with_who_has_it(
    stopped: None, without_cluster: dict[str, list[str]], port: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unrelated, socket.create_server(("0.0.0.0", port)):
        assert unrelated
        done = run("start")
    assert done.returncode == 1
    sentence = done.stderr.strip().splitlines()[-1]
    assert (
        f"Port {port}" in sentence and f"(pid {os.getpid()})" in sentence and "stop that process" in sentence
    )
    assert "Traceback" not in done.stderr
    assert machine_state() == without_cluster


def test_importing_an_image_needs_a_running_cluster(stopped: None, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="does not run: start it"):
        cluster.import_image(tmp_path / "any.tar")


def test_two_starts_at_once_make_one_cluster(stopped: None, without_cluster: dict[str, list[str]]) -> None:
    command = [sys.executable, "-m", "local.cluster", "start"]
    both = [
        subprocess.Popen(command, cwd=paths.REPOSITORY, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = [process.communicate(timeout=900)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert any("waiting for it" in text for text in said), said
    leaders = [process.name for process in processes.marked() if process.leader]
    assert sorted(leaders) == sorted(DAEMONS)
    assert all_healthy()
    running = machine_state()
    for part in ("processes", "links", "mounts", "nftables", "control groups"):
        assert running[part] != without_cluster[part], f"{part} would not show what is left behind"
    assert running["kernel settings"] == without_cluster["kernel settings"]
    assert running["forwarding"] == without_cluster["forwarding"]


def test_a_second_instance_is_refused_by_a_sentence_that_names_the_first(started: None) -> None:
    done = run("start", TPUSERVE_INSTANCE="other")
    assert done.returncode == 1
    assert "The instance 'test' of the local cluster already runs on this machine" in done.stderr
    assert "TPUSERVE_INSTANCE=test python -m local.cluster stop" in done.stderr
    assert "Traceback" not in done.stderr
    assert all_healthy()


def test_status_and_logs(started: None) -> None:
    done = run("status")
    assert done.returncode == 0
    facts = ("tpu-node", "ready", "12 of 12 (3 slices of 4)", constants.api_url(), constants.storage_url())
    for word in (*DAEMONS, *facts, "tpuserve.local/coredns:"):
        assert word in done.stdout
    assert "kubelet" in run("logs", "kubelet").stdout
    every = run("logs").stdout
    assert all(f"== {name} " in every for name in DAEMONS)
    unknown = run("logs", "kublet")
    assert unknown.returncode == 1 and "There is no component 'kublet'" in unknown.stderr


def test_only_loopback_and_the_bridge_are_listened_on(started: None) -> None:
    ours = {process.pid for process in processes.marked()}
    for group in Path("/sys/fs/cgroup").rglob("cgroup.procs"):
        if constants.CGROUP in group.parts:
            ours |= {int(pid) for pid in group.read_text().split()}
    found = [listener for listener in preflight.listeners() if listener.pid in ours]
    assert {
        constants.API_PORT,
        constants.KUBELET_PORT,
        constants.PROXY_HEALTH_PORT,
        constants.POLICIES_METRICS_PORT,
        constants.BUCKET_PORT,
    } <= {listener.port for listener in found}
    assert {listener.address for listener in found} == {constants.LOOPBACK, constants.BRIDGE_ADDRESS}


def test_a_stop_ends_pods_in_order_and_a_start_goes_on_quickly(
    probes: Probes, without_cluster: dict[str, list[str]]
) -> None:
    goodbye = paths.node_data() / "models" / "goodbye"
    goodbye.unlink(missing_ok=True)
    probes.deploy(
        "server",
        env=[{"name": "GOODBYE", "value": "/models/goodbye"}],
        volumeMounts=[{"name": "models", "mountPath": "/models"}],
    )
    kubectl("create", "configmap", "kept", "-n", probes.namespace, "--from-literal=word=kept")
    identity = get("/api/v1/namespaces/kube-system")["metadata"]["uid"]
    images = cluster.status().images

    cluster.stop()
    try:
        assert goodbye.read_text() == "ended by SIGTERM"
    finally:
        goodbye.unlink(missing_ok=True)
    assert machine_state() == without_cluster
    status = run("status")
    assert status.returncode == 1 and "not running" in status.stdout

    began = time.monotonic()
    cluster.start()
    warm = time.monotonic() - began
    assert get("/api/v1/namespaces/kube-system")["metadata"]["uid"] == identity
    assert get(f"/api/v1/namespaces/{probes.namespace}/configmaps/kept")["data"] == {"word": "kept"}
    assert cluster.status().images == images
    probes.await_ready("server")
    assert probes.says("server", "get", "http://server").startswith("200")

    daemons = {name: process.pid for name, process in processes.daemons().items()}
    no_op: list[float] = []
    for _ in range(2):
        began = time.monotonic()
        done = run("start")
        no_op.append(time.monotonic() - began)
        assert done.returncode == 0, done.stderr
    assert {name: process.pid for name, process in processes.daemons().items()} == daemons
    assert warm < WARM_START_SECONDS and min(no_op) < NO_OP_SECONDS, (warm, no_op)


def test_clean_removes_the_state_and_a_start_makes_another_cluster(
    started: None, without_cluster: dict[str, list[str]]
) -> None:
    first = get("/api/v1/namespaces/kube-system")["metadata"]["uid"]
    cluster.clean()
    assert not paths.cluster().exists()
    assert machine_state() == without_cluster
    cluster.start()
    assert get("/api/v1/namespaces/kube-system")["metadata"]["uid"] != first


def test_stop_after_every_daemon_was_killed_leaves_nothing(
    probes: Probes, without_cluster: dict[str, list[str]]
) -> None:
    probes.deploy("server")
    for process in processes.daemons().values():
        os.kill(process.pid, 9)
    cluster.stop()
    assert machine_state() == without_cluster
