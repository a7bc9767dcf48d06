"""Checks before anything is started; each missing requirement is one sentence with a remedy."""

import os
import platform
import re
import shutil
import time
from pathlib import Path

from local.cluster import constants, network, processes
from local.cluster.node import may
from local.cluster.system_commands import attempt, output
from serving.messages.units import GIB
from tools.support import paths
from tools.support.progress import Refusal

# images, snapshots and logs of the cluster itself; the model server needs its own space on top
DISK_BYTES = 3 * GIB
MEMORY_BYTES = 4 * GIB
CAP_NET_ADMIN, CAP_SYS_ADMIN = 12, 21  # linux/capability.h
# A daemon that was just killed keeps its port for a moment, and can no longer be identified as the cluster's.
DYING_SECONDS = 3.0
PORTS = {
    constants.API_PORT: (constants.BRIDGE_ADDRESS, "the API server"),
    constants.KUBELET_PORT: (constants.BRIDGE_ADDRESS, "the kubelet"),
    constants.KUBELET_HEALTH_PORT: (constants.LOOPBACK, "the kubelet's health check"),
    constants.PROXY_METRICS_PORT: (constants.LOOPBACK, "kube-proxy's metrics"),
    constants.PROXY_HEALTH_PORT: (constants.LOOPBACK, "kube-proxy's health check"),
    constants.CONTROLLER_MANAGER_PORT: (constants.LOOPBACK, "the controller manager"),
    constants.SCHEDULER_PORT: (constants.LOOPBACK, "the scheduler"),
    constants.BUCKET_PORT: (constants.BRIDGE_ADDRESS, "the bucket"),
}
ELSEWHERE = "or point target.kubeconfig in Pulumi.local.yaml at a cluster that you have"


def check_machine() -> None:
    """Refuse machines on which a cluster can be neither started nor stopped: not Linux, or root without the
    needed capabilities."""
    if platform.system() != "Linux":
        raise Refusal(
            f"A local cluster needs Linux, and this is {platform.system()}: use a Linux machine, {ELSEWHERE}."
        )
    if os.geteuid() != 0:
        raise Refusal(
            f"A local cluster needs root (for links, mounts and control groups): run it as root, {ELSEWHERE}."
        )
    for name, number in (("CAP_SYS_ADMIN", CAP_SYS_ADMIN), ("CAP_NET_ADMIN", CAP_NET_ADMIN)):
        if not may("CapEff", number):
            raise Refusal(
                f"A local cluster needs the capability {name}, which root lacks here: "
                f"run the container that you are in privileged, {ELSEWHERE}."
            )


def check_room() -> None:
    """Refuse to start on too small a machine. Only `start` checks it, because `stop` is what frees a full
    disk."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if memory < MEMORY_BYTES:
        raise Refusal(
            f"A local cluster needs {MEMORY_BYTES // GIB} GiB of memory, and this machine has "
            f"{memory / GIB:.1f} GiB: use a larger one, {ELSEWHERE}."
        )
    folder = next(folder for folder in (paths.home(), *paths.home().parents) if folder.exists())
    if (free := shutil.disk_usage(folder).free) < DISK_BYTES:
        raise Refusal(
            f"A local cluster needs {DISK_BYTES // GIB} GiB of free disk at {folder}, and "
            f"{free / GIB:.1f} GiB are free: free some, or set TPUSERVE_CACHE to a folder on a larger "
            "disk."
        )


def check_kernel() -> None:
    """Refuse kernels without overlayfs, bridges, veth pairs or nf_tables; load missing modules."""
    needs = (
        ("overlay", "overlayfs", Path("/sys/module/overlay"), "CONFIG_OVERLAY_FS"),
        ("br_netfilter", "netfilter on bridges", Path("/proc/sys/net/bridge"), "CONFIG_BRIDGE_NETFILTER"),
    )
    for module, what, sign, option in needs:
        if not sign.exists() and attempt("modprobe", module).returncode != 0:
            _lacks(what, option, module)
    if attempt("nft", "list", "tables").returncode != 0:
        _lacks("nftables", "CONFIG_NF_TABLES", "nf_tables")
    cgroups = Path("/sys/fs/cgroup")
    if not (cgroups / "cgroup.controllers").exists() and not (cgroups / "memory").is_dir():
        raise Refusal(
            f"A local cluster needs control groups mounted at {cgroups}, and there are none: "
            f"mount them as systemd does, {ELSEWHERE}."
        )


def _lacks(what: str, option: str, module: str) -> None:
    raise Refusal(
        f"A local cluster needs {what}, which this kernel ({platform.release()}) lacks: load the module "
        f"{module} or use a kernel with {option}, {ELSEWHERE}."
    )


def check_other_instance() -> None:
    """Refuse while another instance's cluster runs: a machine has only one bridge, one node and one set of
    ports."""
    for process in processes.marked():
        if process.folder != paths.cluster():
            instance, home = process.folder.parent.name, process.folder.parent.parent
            raise Refusal(
                f"The instance {instance!r} of the local cluster already runs on this machine (pid "
                f"{process.pid}, {process.folder}), and only one can: stop it with `TPUSERVE_CACHE={home} "
                f"TPUSERVE_INSTANCE={instance} python -m local.cluster stop`."
            )


def check_foreign() -> None:
    """Refuse to start beside another Kubernetes, and when another program listens on a port that the cluster
    needs."""
    deadline = time.monotonic() + DYING_SECONDS
    while (conflict := _conflict()) is not None:
        listener, address, user = conflict
        if time.monotonic() > deadline:
            who = (
                f"{listener.program} (pid {listener.pid})" if listener.pid else "a program that ss cannot see"
            )
            raise Refusal(
                f"Port {listener.port} of {address}, which {user} of the local cluster needs, is taken by "
                f"{who}: stop that process, or run it on another port, and start again."
            )
        time.sleep(0.1)
    if "kube-proxy" not in processes.daemons() and not constants.runtime().exists():
        for family, name in (*network.SERVICE_TABLES, network.POLICY_TABLE):
            if attempt("nft", "list", "table", family, name).returncode == 0:
                raise Refusal(
                    f"This machine has an nftables table `{family} {name}` that does not belong to the "
                    "local cluster: stop the Kubernetes that created it, or, if none runs, remove it with "
                    f"`nft delete table {family} {name}`."
                )


def _conflict() -> tuple["Listener", str, str] | None:
    pids = {process.pid for process in processes.daemons().values()}
    for listener in listeners():
        address, user = PORTS.get(listener.port, ("", ""))
        if address and listener.pid not in pids and listener.address in (address, "0.0.0.0", "*", "[::]"):
            return listener, address, user
    return None


class Listener:
    """One listening TCP socket, as ss(8) prints it."""

    def __init__(self, line: str) -> None:
        local = line.split()[3]
        self.address, _, port = local.rpartition(":")
        self.address = self.address.partition("%")[0]
        self.port = int(port)
        conflict = re.search(r'\(\("([^"]*)",pid=(\d+)', line)
        self.program = conflict[1] if conflict else ""
        self.pid = int(conflict[2]) if conflict else 0


def listeners() -> list[Listener]:
    """Returns every listening TCP socket of this machine, IPv4 and IPv6."""
    return [Listener(line) for line in output("ss", "-ltnpH").splitlines()]
