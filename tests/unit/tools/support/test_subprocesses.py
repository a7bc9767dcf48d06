"""A command that has to end ends its children first, and only then frees what they work on."""

import importlib
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.signals import ordinary
from tools.support import host, paths, subprocesses

PROGRAM = """
from tools.support import progress, subprocesses
subprocesses.end_in_order()
with progress.exclusive("thing"):
    progress.run("work", {words!r}, log="work", to_its_end={to_its_end})
"""
SECONDS = 120
"""Bounds a failure; a busy machine takes its time."""

WORK = "echo $$ >> pids; sleep 600 & echo $! >> pids; wait"
DEAF = f"trap '' TERM; {WORK}; while true; do sleep 1; done"


class Reached(Exception):
    """Raised instead of a command's work."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("TPUSERVE_CACHE", str(tmp_path))
    yield tmp_path
    for pid in pids(tmp_path):
        if host.alive(pid):
            os.kill(pid, signal.SIGKILL)


def pids(folder: Path) -> list[int]:
    """Of the shell and what it has started."""
    file = folder / "pids"
    return [int(word) for word in file.read_text().split()] if file.exists() else []


def gone(folder: Path) -> bool:
    """Returns whether all of them are gone; the kernel takes a moment to remove a killed process."""
    deadline = time.monotonic() + SECONDS
    while any(host.alive(pid) for pid in pids(folder)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def started(home: Path, work: str, *, to_its_end: bool = False, number: int = 2) -> subprocess.Popen[str]:
    """A process that runs `work` as a step, once the work has begun."""
    words = ["sh", "-c", f"cd {home}; {work}"]
    code = PROGRAM.format(words=words, to_its_end=to_its_end)
    with ordinary():
        process = subprocess.Popen(
            [sys.executable, "-c", code], cwd=paths.REPOSITORY, stderr=subprocess.PIPE, text=True
        )
    deadline = time.monotonic() + SECONDS
    while len(pids(home)) < number:
        assert time.monotonic() < deadline and process.poll() is None, process.communicate()
        time.sleep(0.02)
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_what_a_step_has_started_is_gone_before_the_process_is(home: Path, number: signal.Signals) -> None:
    process = started(home, WORK)
    process.send_signal(number)
    said = process.communicate(timeout=SECONDS)[1]
    assert process.returncode == (-number if number == signal.SIGINT else 128 + number)
    assert gone(home)
    assert "work: stopped after" in said


def test_a_child_that_does_not_listen_is_killed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocesses, "GRACE_SECONDS", 0.2)
    child = subprocess.Popen(["sh", "-c", f"cd {home}; {DEAF}"], process_group=0)
    deadline = time.monotonic() + SECONDS
    with pytest.raises(Reached), subprocesses.ended(child, group=True):
        while len(pids(home)) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        raise Reached
    assert gone(home)


def test_a_signal_while_the_child_starts_ends_the_child(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal comes when the child runs and Popen has not returned."""
    real = subprocess.Popen

    def recorded(*words: Any, **options: Any) -> subprocess.Popen[Any]:
        child: subprocess.Popen[Any] = real(*words, **options)
        (home / "pids").write_text(str(child.pid))
        signal.raise_signal(signal.SIGINT)
        return child

    def reached(*_: object) -> None:
        raise Reached

    before = signal.signal(signal.SIGINT, reached)
    monkeypatch.setattr(subprocess, "Popen", recorded)
    try:
        with pytest.raises(Reached):
            subprocesses.call(["sleep", "600"], own_group=True)
        assert signal.getsignal(signal.SIGINT) is reached
    finally:
        signal.signal(signal.SIGINT, before)
    assert pids(home) and gone(home)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_step_that_must_not_be_broken_off_is_waited_for(home: Path, number: signal.Signals) -> None:
    work = "echo $$ >> pids; while [ ! -e go ]; do sleep 0.02; done; touch done"
    process = started(home, work, to_its_end=True, number=1)
    process.send_signal(number)
    time.sleep(0.2)  # a command that is broken off ends meanwhile
    (home / "go").touch()
    process.communicate(timeout=SECONDS)
    assert process.returncode != 0 and (home / "done").exists()


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("local", ["env"]),
        ("operate", ["status", "--stack", "local"]),
        ("local.cluster", ["status"]),
        ("tools.toolchain", ["status"]),
        ("local.commands.prove", []),
        ("local.commands.planner", ["simulate"]),
    ],
)
def test_every_command_ends_in_order(monkeypatch: pytest.MonkeyPatch, module: str, words: list[str]) -> None:
    def reached() -> None:
        raise Reached

    monkeypatch.setattr(subprocesses, "end_in_order", reached)
    monkeypatch.setattr(importlib.import_module("local.image"), "ensure_environment", lambda: sys.exit(1))
    monkeypatch.setattr(sys, "argv", [module, *words])
    with pytest.raises(Reached):
        runpy.run_module(module, run_name="__main__")


def test_what_nohup_has_switched_off_stays_off() -> None:
    code = (
        "import signal; from tools.support import subprocesses; signal.signal(signal.SIGHUP, signal.SIG_IGN);"
        "subprocesses.end_in_order(); print(signal.getsignal(signal.SIGHUP).name)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=paths.REPOSITORY, capture_output=True, text=True)
    assert done.stdout.split() == ["SIG_IGN"]


def test_commands_side_by_side_all_run_and_the_first_failure_ends_the_others(home: Path) -> None:
    meet = "touch {me}; while [ ! -e {other} ]; do sleep 0.02; done"
    both = [["sh", "-c", f"cd {home}; " + meet.format(me=me, other=other)] for me, other in ("ab", "ba")]
    assert subprocesses.call_together(both), "each waits for the other: one after the other would never end"

    failing = ["sh", "-c", f"cd {home}; while [ $(cat pids | wc -l) -lt 2 ]; do sleep 0.02; done; exit 3"]
    assert not subprocesses.call_together([["sh", "-c", f"cd {home}; {WORK}"], failing])
    assert len(pids(home)) == 2 and gone(home)


def test_what_runs_side_by_side_ends_with_the_process_that_started_it(home: Path) -> None:
    code = (
        "from tools.support import subprocesses; subprocesses.end_in_order();"
        f"subprocesses.call_together([['sh', '-c', 'cd {home}; {WORK}'], ['sleep', '600']])"
    )
    with ordinary():
        process = subprocess.Popen([sys.executable, "-c", code], cwd=paths.REPOSITORY)
    deadline = time.monotonic() + SECONDS
    while len(pids(home)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.terminate()
    assert process.wait(SECONDS) == 128 + signal.SIGTERM
    assert gone(home)
