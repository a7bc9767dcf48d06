"""Effects of a test machine on its host: none. A cluster with control groups may run next to it."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.cluster import cleanup
from tests.tpu_vm.machine import PREFIX, Machine, sweep, wait_for
from tests.tpu_vm.tree import ensure_tree

REPOSITORY = Path(__file__).resolve().parents[2]
NEIGHBOR = "tpuserve-neighbor"


def hierarchies() -> list[Path]:
    """Returns the folders where the host has its control groups mounted, of version 1 and 2."""
    lines = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    return [Path(point) for _, point, kind, *_ in lines if kind in ("cgroup", "cgroup2")]


@pytest.fixture
def neighbor() -> Iterator[subprocess.Popen[bytes]]:
    """Yields a process in a group of every hierarchy that accepts it, each with an empty group below: systemd
    would kill and remove these if it found them in its own tree."""
    process = subprocess.Popen(["sleep", "600"])
    groups = [top / NEIGHBOR for top in hierarchies()]
    for group in groups:
        (group / "empty").mkdir(parents=True)
        # A new group of the cpuset hierarchy has no processor yet.
        if (group / "cpuset.cpus").exists() and not (group / "cpuset.cpus").read_text().strip():
            continue
        (group / "cgroup.procs").write_text(str(process.pid))
    yield process
    process.kill()
    process.wait()
    for group in groups:
        for folder in (group / "empty", group):
            wait_for(lambda folder=folder: removed(folder), 60)


def removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def traces(name: str, folder: Path) -> list[str]:
    """Returns what a machine may leave on its host: network, disk, mounts, control groups, processes."""
    shown = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    found = [line for line in shown.splitlines() if name in line]
    shown = subprocess.run(["losetup", "--all"], capture_output=True, text=True, check=True).stdout
    found += [line for line in shown.splitlines() if str(folder) in line]
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(folder) in line]
    found += [str(group) for top in hierarchies() for group in top.glob(f"{PREFIX}*") if name in group.name]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "cgroup").read_text() + (process / "cmdline").read_text()
        except OSError:
            continue
        found += [f"process {process.name}"] if name in text or str(folder) in text else []
    return found


def settings() -> dict[str, str]:
    """Returns the kernel settings that no program changes by merely running, nor a cluster beside it."""
    moving = (
        "random/",
        "ns_last_pid",
        "-nr",
        "-state",
        "pty/nr",
        "sched_domain",
        "keys/",
        "binfmt_misc",
        "quota/",
    )
    kubelet = cleanup.kernel_settings()
    found: dict[str, str] = {}
    for top in ("kernel", "vm", "fs"):
        for file in Path("/proc/sys", top).rglob("*"):
            if file.is_file() and str(file) not in kubelet and not any(part in str(file) for part in moving):
                with contextlib.suppress(OSError, UnicodeDecodeError):
                    found[str(file)] = file.read_text()
    return found


def machine(folder: Path) -> Machine:
    return Machine(folder, ensure_tree(), folder, 64 * 2**20)


def test_a_neighbor_outlives_a_machine(neighbor: subprocess.Popen[bytes], tmp_path: Path) -> None:
    before, kernel = Path(f"/proc/{neighbor.pid}/cgroup").read_text(), settings()
    assert NEIGHBOR in before
    assert len(kernel) > 100
    made = machine(tmp_path)
    made.start()
    tops = made.run("ls", "/sys/fs/cgroup").stdout.split()
    assert {"init.scope", "system.slice"} <= set(tops)
    assert NEIGHBOR not in tops
    assert made.run("findmnt", "--noheadings", "--types", "cgroup").stdout == ""
    assert made.run("sysctl", "--write", "kernel.panic=77").returncode != 0
    # This makes systemd look for empty groups to remove.
    made.run("systemctl", "daemon-reexec")
    assert made.shut_down(180)
    made.scrap()
    assert neighbor.poll() is None
    assert Path(f"/proc/{neighbor.pid}/cgroup").read_text() == before
    assert all((top / NEIGHBOR / "empty").is_dir() for top in hierarchies())
    assert traces(made.name, tmp_path) == []
    assert settings() == kernel


def test_a_killed_run_leaves_nothing_that_runs(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from tests.tpu_vm.test_machine import machine\n"
        "made = machine(Path(sys.argv[1])); made.start(); print(made.name, flush=True); time.sleep(600)"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    assert run.stdout is not None
    name = run.stdout.readline().strip()
    assert [trace for trace in traces(name, tmp_path) if trace.startswith(("/dev/loop", "process"))]
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()

    def only_the_network() -> bool:
        left = traces(name, tmp_path)
        return not [trace for trace in left if trace.startswith(("/dev/loop", "process"))]

    wait_for(only_the_network, 120)
    sweep()
    assert traces(name, tmp_path) == []
