"""Daemons are recognized by a mark in their environment, so no note about them can be stale."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local.cluster import processes
from tools.support import paths
from tools.support.progress import Refusal

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

SLEEPER = "import time; time.sleep(60)"
STUBBORN = """import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """State of its own for each test; what it started ends with it."""
    monkeypatch.setenv("TPUSERVE_CACHE", str(tmp_path))
    yield
    for process in processes.daemons().values():
        processes.stop(process, seconds=0.1)


def daemon(program: str = SLEEPER, **options: object) -> processes.Daemon:
    """A daemon that is a Python program."""
    return processes.Daemon("kubelet", (sys.executable, "-c", program), **options)  # pyright: ignore


def test_a_daemon_is_launched_once_and_found_again() -> None:
    began = time.monotonic()
    assert processes.launch(daemon()) is True
    found = processes.daemons()["kubelet"]
    assert found.leader and found.folder == paths.cluster()
    # The kernel notes the start in hundredths of a second, rounded down.
    assert 0 <= found.uptime_seconds < time.monotonic() - began + 0.02
    assert processes.launch(daemon()) is False
    assert processes.daemons()["kubelet"].pid == found.pid


def test_a_killed_daemon_is_gone_even_while_it_is_a_zombie() -> None:
    processes.launch(daemon())
    pid = processes.daemons()["kubelet"].pid
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # leaves the zombie
    assert processes.daemons() == {}
    assert processes.launch(daemon()) is True


def test_changed_settings_restart_it(tmp_path: Path) -> None:
    file, key = tmp_path / "settings", tmp_path / "key"
    key.write_text("first")
    processes.launch(daemon(files={file: "one"}, inputs=(key,)))
    assert file.read_text() == "one" and file.stat().st_mode & 0o777 == 0o600
    pids = [processes.daemons()["kubelet"].pid]
    assert processes.launch(daemon(files={file: "two"}, inputs=(key,))) is True
    pids.append(processes.daemons()["kubelet"].pid)
    key.write_text("second")
    assert processes.launch(daemon(files={file: "two"}, inputs=(key,))) is True
    pids.append(processes.daemons()["kubelet"].pid)
    assert len(set(pids)) == 3 and processes.launch(daemon(files={file: "two"}, inputs=(key,))) is False


def test_another_instances_daemon_is_seen_and_not_taken_for_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    processes.launch(daemon())
    ours = processes.daemons()["kubelet"]
    monkeypatch.setenv("TPUSERVE_INSTANCE", "other")
    assert processes.daemons() == {}
    assert ours.pid in {process.pid for process in processes.marked()}
    monkeypatch.undo()
    processes.stop(ours, seconds=0.1)


def test_children_of_a_daemon_are_found_but_are_no_daemons() -> None:
    processes.launch(daemon(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEPER!r}])"))
    children: list[processes.Process] = []
    deadline = time.monotonic() + 120
    while not children and time.monotonic() < deadline:
        time.sleep(0.02)
        children = [p for p in processes.marked() if not p.leader and p.folder == paths.cluster()]
    assert len(children) == 1 and children[0].pid != processes.daemons()["kubelet"].pid
    os.kill(children[0].pid, signal.SIGKILL)


def test_a_daemon_that_ignores_sigterm_is_killed() -> None:
    processes.launch(daemon(STUBBORN))
    log = processes.log_file("kubelet")
    while not processes.tail(log, 1):
        time.sleep(0.05)
    found = processes.daemons()["kubelet"]
    processes.stop(found, seconds=0.2)
    assert processes.daemons() == {}
    processes.stop(found)


def test_stop_never_touches_a_pid_that_now_belongs_to_another() -> None:
    stranger = subprocess.Popen([sys.executable, "-c", SLEEPER])
    try:
        noted = processes.Process(stranger.pid, paths.cluster(), "kubelet", "0", 1.0, leader=True)
        processes.stop(noted, seconds=0.1)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_daemon_that_ends_at_once_is_explained_by_its_log() -> None:
    broken = daemon("import sys; sys.exit('the disk is on fire')")
    processes.launch(broken)
    with pytest.raises(Refusal, match=r"kubelet ended right after its start(.|\n)*the disk is on fire"):
        processes.await_healthy(broken)


def test_a_hanging_daemon_is_restarted_once_and_then_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "CHECKS", {"kubelet": lambda: False})
    hanging = daemon(deadline_seconds=0.3)
    processes.launch(hanging)
    first = processes.daemons()["kubelet"].pid
    with pytest.raises(Refusal, match="does not answer its health check"):
        processes.await_healthy(hanging)
    assert processes.daemons()["kubelet"].pid != first


def test_a_large_log_is_put_aside_at_the_start() -> None:
    log = processes.log_file("kubelet")
    log.parent.mkdir(parents=True)
    with log.open("wb") as handle:
        handle.truncate(processes.LOG_BYTES + 1)
    processes.launch(daemon())
    assert log.stat().st_size == 0
    assert log.with_suffix(".log.1").stat().st_size == processes.LOG_BYTES + 1


def test_tail_reads_the_end_and_nothing_of_a_missing_file(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text("".join(f"{number}\n" for number in range(100_000)))
    assert processes.tail(file, 2) == ["99998", "99999"]
    assert processes.tail(tmp_path / "none", 2) == []
