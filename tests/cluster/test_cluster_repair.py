"""Repairs by the next start after anything was killed, deleted or half-written; the pods continue or
return."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from local import cluster
from local.cluster import cleanup, constants, kubeconfigs, lifecycle, network, pki, processes
from local.cluster.api import Api
from local.cluster.system_commands import output
from local.commands.kubectl import kubectl
from tests.cluster.cluster_fixtures import (
    DAEMONS,
    Probes,
    all_healthy,
    get,
    kill,
    run,
)
from tools.support import paths

KILLED = (
    ("etcd", "kubelet"),
    ("containerd", "kube-scheduler"),
    ("kube-apiserver", "bucket"),
    ("kube-controller-manager", "kube-proxy"),
)


def test_every_daemon_is_killed_below() -> None:
    assert {name for names in KILLED for name in names} == {*DAEMONS}


@pytest.mark.parametrize("names", KILLED)
def test_killed_daemons_are_repaired_and_the_pods_go_on(
    tpu_server: Probes, started: None, names: tuple[str, ...]
) -> None:
    before = tpu_server.pods("server")[0]
    others = {n: p.pid for n, p in processes.daemons().items() if n not in names}
    for name in names:
        kill(name)
    broken = run("status")
    assert broken.returncode == 1 and broken.stdout.count("not running") >= len(names), broken.stdout
    cluster.start()
    assert all_healthy()
    assert {n: p.pid for n, p in processes.daemons().items() if n not in names} == others
    after = tpu_server.pods("server")[0]
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["status"]["containerStatuses"][0]["restartCount"] == 0
    assert tpu_server.says("server", "get", "http://server").startswith("200")


def test_all_daemons_killed_at_once(tpu_server: Probes, started: None) -> None:
    for process in processes.daemons().values():
        os.kill(process.pid, signal.SIGKILL)
    cluster.start()
    assert all_healthy()
    tpu_server.await_ready("server")
    assert tpu_server.says("server", "get", "http://server").startswith("200")


def test_everything_killed_and_the_kernel_state_gone_as_after_a_reboot(
    tpu_server: Probes, started: None
) -> None:
    for process in processes.daemons().values():
        os.kill(process.pid, signal.SIGKILL)
    cleanup.kill_containers()
    for point in reversed(cleanup.our_mounts()):
        output("umount", "--lazy", point)
    assert constants.containerd_socket().exists(), "sockets of dead processes stay"
    network.remove()
    cluster.start()
    assert all_healthy()
    tpu_server.await_ready("server")
    assert tpu_server.says("server", "get", "http://server").startswith("200")


def test_a_deleted_bridge_comes_back_with_the_pods_on_it(tpu_server: Probes, started: None) -> None:
    output("ip", "link", "delete", constants.BRIDGE)
    cluster.start()
    tpu_server.await_ready("server")
    assert tpu_server.says("server", "get", "http://server").startswith("200")


def test_deleted_rules_come_back(tpu_server: Probes, started: None) -> None:
    for family, name in (("ip", "kube-proxy"), ("ip", "mangle")):
        output("nft", "delete", "table", family, name)
    kill("kube-proxy")
    cluster.start()
    assert tpu_server.says("server", "get", "http://server").startswith("200")


def test_a_start_that_was_killed_at_any_moment_is_finished_by_the_next(cluster_instance: None) -> None:
    """Each killed start continues from the state of the one before it, a little further; the last one
    finishes."""
    cluster.stop()
    command = [sys.executable, "-m", "local.cluster", "start"]
    for seconds in (0.3, 1.0, 2.0, 3.5, 5.0):
        killed = subprocess.Popen(command, cwd=paths.REPOSITORY, stderr=subprocess.DEVNULL)
        time.sleep(seconds + random.uniform(0, 0.3))
        killed.kill()
        killed.wait()
    cluster.start()
    assert all_healthy()
    assert sorted(p.name for p in processes.marked() if p.leader) == sorted(DAEMONS)


def test_a_stop_that_was_killed_half_way_is_finished_by_the_next(started: None) -> None:
    command = [sys.executable, "-m", "local.cluster", "stop"]
    first = subprocess.Popen(command, cwd=paths.REPOSITORY, stderr=subprocess.DEVNULL)
    time.sleep(1.5)
    first.kill()
    first.wait()
    cluster.stop()
    assert not processes.marked() and not constants.runtime().exists()


def test_a_lost_encryption_key_is_refused_not_replaced(cluster_instance: None) -> None:
    cluster.stop()
    kept = kubeconfigs.encryption().read_bytes()
    kubeconfigs.encryption().unlink()
    done = run("start")
    assert done.returncode == 1 and "restore the file from a copy" in done.stderr
    assert "Traceback" not in done.stderr
    kubeconfigs.encryption().write_bytes(kept)
    # The test that follows starts the cluster with it.


def _foreign_authority() -> None:
    key, certificate = pki.key("ca"), pki.certificate("ca")
    key.unlink()
    certificate.unlink()


def _damage_everything_else() -> None:
    """Damage at once everything that tests/unit/local/cluster/test_pki.py damages one by one."""
    for name in ("apiserver", "admin"):
        file = pki.certificate(name)
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    pki.key("kubelet").unlink()
    pki.key("service-accounts").write_text("half")


@pytest.mark.parametrize("damage", [_damage_everything_else, _foreign_authority])
def test_a_damaged_pki_is_made_whole(tpu_server: Probes, damage: Callable[[], None]) -> None:
    cluster.stop()
    damage()
    cluster.start()
    assert all_healthy()
    tpu_server.await_ready("server")
    assert tpu_server.says("server", "resolve", "server") == address(tpu_server)


def address(probes: Probes) -> str:
    """Returns the ClusterIP of the probe's Service."""
    return get(f"/api/v1/namespaces/{probes.namespace}/services/server")["spec"]["clusterIP"]


def test_a_new_authority_under_running_pods_reaches_them(tpu_server: Probes, started: None) -> None:
    _foreign_authority()
    cluster.start()
    assert all_healthy()
    assert tpu_server.says("server", "resolve", "server") == address(tpu_server)


def test_a_hanging_name_server_is_recreated(
    tpu_server: Probes, started: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "HANGING_SECONDS", 2.0)
    pods = json.loads(kubectl("get", "pods", "-n", "kube-system", "-l", "k8s-app=coredns", "-o", "json"))
    before = pods["items"][0]["metadata"]["uid"]
    stopped = [file for file in Path("/proc").glob("[0-9]*/exe") if _runs(file, "/coredns")]
    assert len(stopped) == 1
    os.kill(int(stopped[0].parent.name), signal.SIGSTOP)
    cluster.start()
    assert all_healthy()
    assert before not in kubectl("get", "pods", "-n", "kube-system", "-o", "json")
    assert tpu_server.says("server", "resolve", "server") == address(tpu_server)


def _runs(exe: Path, program: str) -> bool:
    try:
        return str(exe.readlink()) == program
    except OSError:
        return False


def test_a_kubeconfig_of_another_authority_is_replaced(started: None) -> None:
    config = json.loads(paths.kubeconfig().read_text())
    config["clusters"][0]["cluster"]["certificate-authority-data"] = "bm90IG91cnM="
    paths.kubeconfig().write_text(json.dumps(config))
    paths.kubeconfig().chmod(0o644)
    cluster.start()
    assert kubectl("get", "nodes", "-o", "name").strip() == f"node/{constants.NODE}"
    assert paths.kubeconfig().stat().st_mode & 0o777 == 0o600


def test_lost_tpu_capacity_is_declared_again(started: None) -> None:
    with Api() as api:
        api.patch_capacity(constants.TPU_RESOURCE, 0)
    assert cluster.status().tpu_chips == 0 and not all_healthy()
    cluster.start()
    assert cluster.status().tpu_chips == constants.TPU_CHIPS


def test_changed_settings_restart_that_daemon_and_no_other(tpu_server: Probes, started: None) -> None:
    uid = tpu_server.pods("server")[0]["metadata"]["uid"]
    before = {name: process.pid for name, process in processes.daemons().items()}
    folder = paths.node_data() / "models"
    (folder / "mark").write_text("seen")
    try:
        cluster.start(environment=folder)
        changed = {n for n, p in processes.daemons().items() if p.pid != before[n]}
        assert changed == {"containerd"}
        assert tpu_server.pods("server")[0]["metadata"]["uid"] == uid
        assert tpu_server.says("server", "get", "http://server").startswith("200")
        assert tpu_server.run("server", "cat", f"{constants.ENVIRONMENT_MOUNT}/mark").returncode != 0
        tpu_server.deploy("later")
        assert tpu_server.says("later", "cat", f"{constants.ENVIRONMENT_MOUNT}/mark") == "seen"
        refused = tpu_server.run("later", "write", f"{constants.ENVIRONMENT_MOUNT}/mark")
        assert "read-only file system" in refused.stderr
    finally:
        (folder / "mark").unlink()


def test_an_old_certificate_is_renewed_and_its_daemon_restarted(
    started: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = processes.daemons()["kube-apiserver"].pid
    monkeypatch.setattr(pki, "RENEW_DAYS", pki.LEAF_DAYS + 1)
    cluster.start()
    monkeypatch.undo()
    assert processes.daemons()["kube-apiserver"].pid != before
    assert all_healthy()
