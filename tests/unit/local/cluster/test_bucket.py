"""The bucket: the folder of its objects, its address, and the packets about which a policy decides."""

import subprocess
from pathlib import Path

import pytest

from local import interface
from local.cluster import bucket, constants, health, lifecycle, network, preflight
from tools import toolchain
from tools.support import paths

MANGLE = ("iptables", "-w", "-t", "mangle")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """State of its own for each test, and a program that needs no build."""
    monkeypatch.setenv("TPUSERVE_CACHE", str(tmp_path))
    monkeypatch.setattr(toolchain, "path", lambda name: Path("/programs") / name)


def test_the_stack_gets_the_address_at_which_the_process_listens() -> None:
    assert (interface.bucket(), interface.storage_url()) == ("tpuserve-local", "http://10.200.0.1:4443")
    assert interface.storage_url() == f"http://{interface.NODE_ADDRESS}:{interface.STORAGE_PORT}"
    words = bucket.daemon().argv
    assert words[0] == "/programs/bucket"
    assert {"--listen=10.200.0.1:4443", "--bucket=tpuserve-local", f"--folder={bucket.folder()}"} < set(words)
    assert preflight.PORTS[4443] == (constants.BRIDGE_ADDRESS, "the bucket")


def test_objects_are_kept_beside_the_model_and_not_in_the_state_of_the_cluster() -> None:
    prepare = bucket.daemon().before_launch
    assert prepare is not None
    for _ in range(2):
        prepare()
    assert bucket.folder().is_dir() and bucket.folder().parent == interface.node_data()
    assert not bucket.folder().is_relative_to(paths.cluster()), "python -m local.cluster clean removes this"
    assert bucket.folder().is_relative_to(paths.cluster().parent), "make clean removes this"


def test_every_daemon_is_checked_and_stopped() -> None:
    assert set(health.CHECKS) == set(lifecycle.STOP_ORDER)
    assert bucket.daemon().name in health.CHECKS


@pytest.mark.parametrize("nftables_queues", [True, False])
def test_policies_are_asked_about_the_bucket_on_every_kernel(
    monkeypatch: pytest.MonkeyPatch, nftables_queues: bool
) -> None:
    called: list[tuple[str, ...]] = []

    def attempt(*words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        called.append(words)
        return subprocess.CompletedProcess(words, 0 if words[0] == "nft" and nftables_queues else 1, "", "")

    def output(*words: str, given: str = "") -> str:
        called.append(words)
        return "[]"

    monkeypatch.setattr(constants, "RUNTIME_ROOT", paths.home())
    constants.runtime().mkdir()
    monkeypatch.setattr(network, "attempt", attempt)
    monkeypatch.setattr(network, "output", output)
    network.ensure_policy_queue()
    added = [words for words in called if words[:5] == (*MANGLE, "-A") and words[5] == "INPUT"]
    assert added == [(*MANGLE, "-A", "INPUT", *network.TO_BUCKET)]
    assert " ".join(added[0]).endswith(
        "-i tpuserve0 -d 10.200.0.1 -p tcp --dport 4443 -m conntrack --ctstate NEW -j NFQUEUE --queue-num 100"
    )
    called.clear()
    network.remove()
    assert (*MANGLE, "-D", "INPUT", *network.TO_BUCKET) in called
