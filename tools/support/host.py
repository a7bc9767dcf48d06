"""Requirements of this machine as a simulated TPU node, and a check whether a process is alive."""

import os
import platform
import shutil
from pathlib import Path

from tools.support import paths
from tools.support.progress import Refusal

DISK_GB = 30
"""Gigabytes: server environment 10, Go modules and build cache 8, programs 2, images and state 2, and a
reserve."""

MEMORY_GB = 12
"""Gigabytes: the server holds about 5, the control plane 2; building the provider takes up to 6."""

FURTHER_SERVER_GB = 6
"""Gigabytes that the pod of each further server requests: 5.5 GiB (stacks/local.py)."""


def require(servers: int = 1) -> None:
    """Raises Refusal, one sentence, for the first thing that this machine lacks to run this many servers in a
    cluster."""
    require_kind()
    _require_room(servers)


def require_kind() -> None:
    """Check the part of `require` that stopping a cluster needs too: a full disk must not keep a cluster
    running.

    Raises Refusal.
    """
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        system = f"{platform.system()} on {platform.machine()}"
        raise Refusal(
            f"The local cluster needs Linux on x86-64, and this is {system}: point target.kubeconfig and "
            "target.context in Pulumi.local.yaml at a cluster that you have, and run `pulumi up`."
        )
    if os.geteuid() != 0:
        raise Refusal(
            "The local cluster runs containers and creates network links, which needs root: run it as root "
            "(`sudo -E make …`), or point target.kubeconfig at a cluster that you have."
        )


def _require_room(servers: int) -> None:
    paths.home().mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(paths.home()).free / 1e9
    built = paths.environments().exists()
    if not built and free < DISK_GB:
        raise Refusal(
            f"The first run needs {DISK_GB} GB at {paths.home()}, and {free:.0f} GB are free: free some, or "
            "set TPUSERVE_CACHE to a folder on a larger disk."
        )
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    if total < MEMORY_GB:
        raise Refusal(
            f"The local cluster needs {MEMORY_GB} GB of memory and this machine has {total:.0f} GB."
        )
    if total < (needed := MEMORY_GB + (servers - 1) * FURTHER_SERVER_GB):
        raise Refusal(
            f"The local cluster needs {needed} GB of memory for {servers} servers and this machine has "
            f"{total:.0f} GB: set replicas in Pulumi.local.yaml to 1, and rollout.surge to 0."
        )


def alive(pid: int, program: str = "") -> bool:
    """Returns whether the process runs and its program's name begins with `program`: process ids are reused.

    A process that has ended stays in /proc until its parent reads its exit code.
    """
    try:
        # Parse after the last ")": the program's name may itself contain spaces and parentheses.
        before, _, after = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")
    except OSError:
        return False
    return after.split()[0] != "Z" and before.partition("(")[2].startswith(program)
