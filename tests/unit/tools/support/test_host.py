"""A machine that cannot run the local cluster hears why, and what to do instead, before any build."""

import os
import platform
import runpy
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from local import cluster
from local.commands import client
from tools.support import host, subprocesses
from tools.support.progress import Refusal

Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def good_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A Linux machine with root, 100 GB of disk and 24 GB of memory, whatever this one is."""
    monkeypatch.setenv("TPUSERVE_CACHE", str(tmp_path))
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "sysconf", lambda name: {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 6 * 2**20}[name])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 0, 10**11))


def test_a_good_machine_passes() -> None:
    host.require()


@pytest.mark.parametrize(
    ("module", "name", "value", "asked", "way_out"),
    [
        (platform, "system", lambda: "Darwin", "this is Darwin on x86_64", "target.kubeconfig"),
        (platform, "machine", lambda: "aarch64", "this is Linux on aarch64", "target.kubeconfig"),
        (os, "geteuid", lambda: 1000, "needs root", "sudo -E make"),
        (shutil, "disk_usage", lambda path: Usage(10**12, 0, 5 * 10**9), "5 GB are free", "TPUSERVE_CACHE"),
        (os, "sysconf", lambda name: 1024, "12 GB of memory and this machine has 0 GB", "needs"),
    ],
    ids=["mac", "arm", "not root", "disk", "memory"],
)
def test_what_a_machine_lacks(
    monkeypatch: pytest.MonkeyPatch, module: object, name: str, value: object, asked: str, way_out: str
) -> None:
    monkeypatch.setattr(module, name, value)
    with pytest.raises(Refusal) as refused:
        host.require()
    assert asked in str(refused.value) and way_out in str(refused.value)
    assert "\n" not in str(refused.value)


def test_disk_is_asked_only_before_the_first_build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "environments").mkdir()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 0, 5 * 10**9))
    host.require()


COMMANDS = [
    ("local", ["down"], "stop"),
    ("local", ["clean"], "clean"),
    ("operate", ["key", "--stack", "local"], "set_key"),
]


@pytest.mark.parametrize(("module", "words", "work"), COMMANDS)
def test_no_room_keeps_nobody_from_ending_a_cluster(
    monkeypatch: pytest.MonkeyPatch, module: str, words: list[str], work: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 10**12, 0))
    monkeypatch.setattr(os, "sysconf", lambda name: 1024)
    done: list[str] = []
    for owner, name in ((cluster, "stop"), (cluster, "clean"), (client, "set_key")):
        monkeypatch.setattr(owner, name, lambda name=name: done.append(name))
    monkeypatch.setattr(subprocesses, "end_in_order", lambda: None)
    monkeypatch.setattr(sys, "argv", [module, *words])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module, run_name="__main__")
    assert ended.value.code == 0
    assert done == [work]


def test_a_process_that_ended_is_not_alive_although_nobody_has_reaped_it() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert host.alive(child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # leaves the zombie
    assert not host.alive(child.pid)
    assert Path(f"/proc/{child.pid}").exists()
    child.communicate()
    assert not host.alive(child.pid)
