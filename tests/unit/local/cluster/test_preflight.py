"""Each thing that a machine lacks is one sentence with a way out."""

import collections
import os
import platform
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from local.cluster import cleanup, constants, lifecycle, network, preflight, processes
from tools import toolchain
from tools.support.progress import Refusal

Patch = pytest.MonkeyPatch
Usage = collections.namedtuple("Usage", "total used free")
CONFIGURED = os.sysconf


def not_reached(*programs: str) -> None:
    """Stands where a start goes on once the machine has passed."""
    raise AssertionError(programs)


def not_linux(patch: Patch) -> None:
    patch.setattr(platform, "system", lambda: "Darwin")


def not_root(patch: Patch) -> None:
    patch.setattr(os, "geteuid", lambda: 1000)


def confined_root(patch: Patch) -> None:
    patch.setattr(preflight, "may", lambda field, number: number != preflight.CAP_NET_ADMIN)


def little_memory(patch: Patch) -> None:
    patch.setattr(os, "sysconf", lambda name: 2**19 if name == "SC_PHYS_PAGES" else CONFIGURED(name))


def little_disk(patch: Patch) -> None:
    patch.setattr(shutil, "disk_usage", lambda folder: Usage(10, 9, 2**30))


MACHINES: list[tuple[Callable[[Patch], None], str]] = [
    (not_linux, r"needs Linux, and this is Darwin: .*target\.kubeconfig"),
    (not_root, r"needs root .*: run it as root, or point target\.kubeconfig"),
    (confined_root, r"needs the capability CAP_NET_ADMIN, which root lacks here: .*privileged"),
    (little_memory, r"needs 4 GiB of memory, and this machine has 2\.0 GiB: "),
    (little_disk, r"needs 3 GiB of free disk at .*, and 1\.0 GiB are free: .*TPUSERVE_CACHE"),
]


@pytest.fixture(autouse=True)
def machine(monkeypatch: Patch, tmp_path: Path) -> None:
    """A machine that lacks nothing."""
    monkeypatch.setenv("TPUSERVE_CACHE", str(tmp_path))
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(preflight, "may", lambda field, number: True)
    monkeypatch.setattr(toolchain, "ensure", not_reached)
    monkeypatch.setattr(preflight, "DYING_SECONDS", 0.0)
    monkeypatch.setattr(os, "sysconf", lambda name: 2**22 if name == "SC_PHYS_PAGES" else CONFIGURED(name))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(2**40, 0, 2**40))


def test_a_fit_machine_passes() -> None:
    preflight.check_machine()
    preflight.check_room()


@pytest.mark.parametrize(("lack", "sentence"), MACHINES, ids=[row[0].__name__ for row in MACHINES])
def test_an_unfit_machine_gets_a_sentence(
    monkeypatch: Patch, lack: Callable[[Patch], None], sentence: str
) -> None:
    lack(monkeypatch)
    with pytest.raises(Refusal, match=sentence) as refused:
        lifecycle.start()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("end", [lifecycle.stop, lifecycle.clean])
@pytest.mark.parametrize("lack", [little_memory, little_disk])
def test_a_full_machine_can_end_its_cluster(
    monkeypatch: Patch, end: Callable[[], None], lack: Callable[[Patch], None]
) -> None:
    lack(monkeypatch)
    monkeypatch.setattr(processes, "marked", list)
    monkeypatch.setattr(cleanup, "our_mounts", list)
    monkeypatch.setattr(constants, "RUNTIME_ROOT", Path("/nonexistent"))
    end()


class Failed:
    """A command that did not work."""

    returncode = 1


def test_a_kernel_without_nftables_is_named(monkeypatch: Patch) -> None:
    monkeypatch.setattr(preflight, "attempt", lambda *command: Failed())
    monkeypatch.setattr(Path, "exists", lambda self: True)
    with pytest.raises(
        Refusal, match=r"needs nftables, which this kernel \(.*\) lacks: .*nf_tables.*CONFIG_NF_TABLES"
    ):
        preflight.check_kernel()


def test_a_kernel_without_bridge_netfilter_is_named(monkeypatch: Patch) -> None:
    monkeypatch.setattr(preflight, "attempt", lambda *command: Failed())
    monkeypatch.setattr(Path, "exists", lambda self: "bridge" not in str(self))
    with pytest.raises(Refusal, match=r"needs netfilter on bridges, .*br_netfilter.*CONFIG_BRIDGE_NETFILTER"):
        preflight.check_kernel()


LINES: list[tuple[str, bool]] = [
    ('LISTEN 0 5 0.0.0.0:6443 0.0.0.0:* users:(("python3",pid=4711,fd=3))', True),
    ('LISTEN 0 5 *:6443 *:* users:(("python3",pid=4711,fd=3))', True),
    ('LISTEN 0 5 10.200.0.1:6443 0.0.0.0:* users:(("python3",pid=4711,fd=3))', True),
    ('LISTEN 0 5 127.0.0.1:6443 0.0.0.0:* users:(("python3",pid=4711,fd=3))', False),
    ('LISTEN 0 5 127.0.0.53%lo:53 0.0.0.0:* users:(("systemd-resolve",pid=1,fd=3))', False),
    ('LISTEN 0 5 0.0.0.0:8080 0.0.0.0:* users:(("python3",pid=4711,fd=3))', False),
]


@pytest.mark.parametrize(("line", "taken"), LINES)
def test_a_foreign_listener_on_our_port_is_named(monkeypatch: Patch, line: str, taken: bool) -> None:
    monkeypatch.setattr(preflight, "output", lambda *command: line)
    monkeypatch.setattr(preflight, "attempt", lambda *command: Failed())
    monkeypatch.setattr(processes, "daemons", dict)
    if not taken:
        preflight.check_foreign()
        return
    with pytest.raises(
        Refusal, match=r"Port 6443 of 10\.200\.0\.1, .*python3 \(pid 4711\): stop that process"
    ):
        preflight.check_foreign()


def test_a_listener_outside_the_container_has_no_pid() -> None:
    listener = preflight.Listener("LISTEN 0 128 0.0.0.0:2024 0.0.0.0:*")
    assert (listener.address, listener.port, listener.pid) == ("0.0.0.0", 2024, 0)


def test_another_kubernetes_rules_are_not_touched(monkeypatch: Patch) -> None:
    class Found:
        returncode = 0

    monkeypatch.setattr(preflight, "output", lambda *command: "")
    monkeypatch.setattr(preflight, "attempt", lambda *command: Found())
    monkeypatch.setattr(processes, "daemons", dict)
    monkeypatch.setattr(constants, "RUNTIME_ROOT", Path("/nonexistent"))
    with pytest.raises(
        Refusal, match="an nftables table `ip kube-proxy` that does not belong to the local cluster"
    ):
        preflight.check_foreign()


ROUTES = [
    ('[{"dst": "default", "dev": "eth0"}, {"dst": "192.0.2.0/24", "dev": "eth0"}]', None),
    ('[{"dst": "0.0.0.0/1", "dev": "tun0"}]', None),
    ('[{"dst": "10.0.0.0/8", "dev": "tun0"}]', "10.200.0.0/24, but this machine routes 10.0.0.0/8 to tun0"),
    (
        '[{"dst": "10.201.0.7", "dev": "tun0"}]',
        "10.201.0.0/24, but this machine routes 10.201.0.7/32 to tun0",
    ),
]


@pytest.mark.parametrize(("routes", "sentence"), ROUTES)
def test_addresses_that_are_routed_elsewhere_are_named(
    monkeypatch: Patch, routes: str, sentence: str | None
) -> None:
    monkeypatch.setattr(network, "output", lambda *command: routes)
    if sentence is None:
        network.refuse_overlap()
        return
    with pytest.raises(Refusal, match=sentence):
        network.refuse_overlap()
