"""Clean-up of this instance's control groups, containers and mounts: how they are found and removed by force.

After a graceful stop there is usually nothing left. After a crash, everything is left.
"""

import contextlib
import errno
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from local.cluster import constants, processes
from local.cluster.system_commands import attempt
from tools.support import host, paths
from tools.support.atomic_file import write
from tools.support.progress import Refusal

CGROUPS = Path("/sys/fs/cgroup")
CGROUP_CONTROLLERS = ("cpu", "cpuset", "memory", "pids", "io")
CONTAINER_LOG_LINKS = Path("/var/log/containers")  # fixed in the kubelet
DEVICE_PLUGINS = Path("/var/lib/kubelet/device-plugins")  # fixed in the kubelet
KILL_SECONDS = 10.0
PROCESSES_CGROUP = "init"
"""Control group for a container's own processes, beside the cluster's group, whose processes end with the
cluster."""
DELEGATE_TRIES = 5
"""Attempts to move processes, which may start others meanwhile."""


def ensure_cgroups() -> None:
    """Create the parent control groups that the kubelet needs and does not create itself.

    Raises Refusal.
    """
    try:
        if (CGROUPS / "cgroup.controllers").exists():  # version 2
            _delegate()
            (CGROUPS / constants.CGROUP).mkdir(exist_ok=True)
            return
        for hierarchy in _hierarchies():
            (hierarchy / constants.CGROUP).mkdir(exist_ok=True)
    except OSError as error:
        raise Refusal(
            f"The local cluster needs its own control groups below {CGROUPS}, which cannot be created "
            f"({error.strerror}): run the container that you are in privileged and with its own control "
            "group namespace (docker run --privileged --cgroupns=private)."
        ) from None


def _delegate() -> None:
    """Enable the controllers for child groups. Raises OSError."""
    offered = (CGROUPS / "cgroup.controllers").read_text().split()
    switches = " ".join(f"+{name}" for name in CGROUP_CONTROLLERS if name in offered)
    for _ in range(DELEGATE_TRIES):
        try:
            (CGROUPS / "cgroup.subtree_control").write_text(switches)
            return
        except OSError as error:
            # In a container this group is not the real root: a group with processes cannot have child groups
            # with controllers (cgroups(7), "no internal processes"). Move the processes into a child group,
            # as kind's entrypoint does.
            if error.errno != errno.EBUSY:
                raise
            _move_processes_down()
    (CGROUPS / "cgroup.subtree_control").write_text(switches)


def _move_processes_down() -> None:
    below = CGROUPS / PROCESSES_CGROUP
    below.mkdir(exist_ok=True)
    for pid in (CGROUPS / "cgroup.procs").read_text().split():
        with contextlib.suppress(OSError):  # the process has ended
            (below / "cgroup.procs").write_text(pid)


def _hierarchies() -> Iterator[Path]:
    points: set[Path] = set()
    for mount in mounts():
        if mount.kind in ("cgroup", "cgroup2") and mount.point.is_relative_to(CGROUPS):
            points.add(mount.point)
    yield from sorted(points)


class Mount:
    """One line of proc(5)'s mountinfo."""

    def __init__(self, line: str) -> None:
        before, _, after = line.partition(" - ")
        # Spaces in paths are written as octal escapes.
        self.point = Path(before.split()[4].encode().decode("unicode_escape"))
        self.kind = after.split()[0]


def mounts() -> list[Mount]:
    return [Mount(line) for line in Path("/proc/self/mountinfo").read_text().splitlines()]


def our_mounts() -> list[Path]:
    """Returns the mount points inside this instance's folders, in the order in which they were mounted."""
    folders = (constants.runtime(), paths.cluster())
    return [m.point for m in mounts() if any(m.point.is_relative_to(folder) for folder in folders)]


def _our_cgroups() -> list[Path]:
    """Returns every control group of this cluster, children before parents."""
    tops = [hierarchy / constants.CGROUP for hierarchy in _hierarchies()] or [CGROUPS / constants.CGROUP]
    folders = [folder for top in tops if top.exists() for folder, _, _ in top.walk()]
    return sorted(folders, key=lambda folder: len(folder.parts), reverse=True)


def containers_run() -> bool:
    """Returns whether any container of this instance is alive, which its shim shows."""
    return any(p.folder == paths.cluster() and not p.leader for p in processes.marked())


def kill_containers() -> None:
    """Kill every container of this instance with its shim. A running kubelet creates its pods again."""
    deadline = time.monotonic() + KILL_SECONDS
    while pids := _container_pids():
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if time.monotonic() > deadline:
            return
        time.sleep(0.05)


def _container_pids() -> set[int]:
    pids = {p.pid for p in processes.marked() if p.folder == paths.cluster() and not p.leader}
    for group in _our_cgroups():
        try:
            pids |= {int(pid) for pid in (group / "cgroup.procs").read_text().split()}
        except OSError:  # the group was removed meanwhile
            continue
    # Processes of another PID namespace are listed as 0, which kill(2) takes for the caller's own group.
    return {pid for pid in pids if pid > 0 and host.alive(pid)}


def remove() -> None:
    """Remove containers, mounts, control groups and the kubelet's files outside this instance's folder."""
    kill_containers()
    restore_kernel_settings()
    for point in reversed(our_mounts()):
        attempt("umount", "--lazy", point)
    deadline = time.monotonic() + KILL_SECONDS
    while groups := _our_cgroups():
        for group in groups:
            try:
                group.rmdir()
            except OSError:  # busy until the kernel has reaped the last process
                continue
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    if CONTAINER_LOG_LINKS.is_dir():
        for link in CONTAINER_LOG_LINKS.iterdir():
            if link.is_symlink() and link.readlink().is_relative_to(constants.pod_logs()):
                link.unlink()
    refuse_mounts()
    shutil.rmtree(constants.runtime(), ignore_errors=True)
    # Remove only empty folders: other programs may have files there.
    for folder in (DEVICE_PLUGINS, DEVICE_PLUGINS.parent, CONTAINER_LOG_LINKS, constants.RUNTIME_ROOT):
        if folder == DEVICE_PLUGINS and folder.is_dir():
            (folder / "kubelet.sock").unlink(missing_ok=True)
            (folder / "kubelet_internal_checkpoint").unlink(missing_ok=True)
        try:
            folder.rmdir()
        except OSError:
            continue


def refuse_mounts() -> None:
    """Refuse to delete folders while something is mounted in them: the mounted content would be deleted
    too."""
    if points := our_mounts():
        raise Refusal(
            f"{points[-1]} is still mounted and `umount` failed: end the processes that use it (`fuser -vm "
            f"{points[-1]}`) and run the same command again."
        )


def remove_stale_addresses() -> None:
    """Delete the records of pod addresses when no container is alive, as after a reboot."""
    if not containers_run():
        shutil.rmtree(constants.cni_state(), ignore_errors=True)


def kernel_settings() -> dict[str, str]:
    """Returns the kernel settings that the kubelet overwrites at its start, with their present values."""
    names = (
        "vm/overcommit_memory",
        "vm/panic_on_oom",
        "kernel/panic",
        "kernel/panic_on_oops",
        "kernel/keys/root_maxkeys",
        "kernel/keys/root_maxbytes",
    )
    files = [Path("/proc/sys") / name for name in names]
    return {str(file): file.read_text().strip() for file in files if file.exists()}


def _noted_settings() -> Path:
    return constants.runtime() / "kernel-settings.json"


def note_kernel_settings() -> None:
    """Save the present kernel settings until they are restored, by this run or by a later one if it is
    killed."""
    if not _noted_settings().exists():
        write(_noted_settings(), json.dumps(kernel_settings()))


def restore_kernel_settings() -> None:
    """Restore the kernel settings that the kubelet changed: it sets panic and overcommit for a server."""
    if not _noted_settings().exists():
        return
    now = kernel_settings()
    for file, value in json.loads(_noted_settings().read_text()).items():
        if now.get(file) != value:
            Path(file).write_text(value)
    _noted_settings().unlink()
