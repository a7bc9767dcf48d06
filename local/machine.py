"""This machine: what it must be to stand in for a TPU node, and which processes live on it."""

import os
import platform
import shutil
from pathlib import Path

from local import paths
from local.progress import Refusal

DISK_GB = 30
"""Server environment 10 GB, Go modules and build cache 8, programs 2, images and state 2, and room."""

MEMORY_GB = 12
"""The server holds about 5 GB, the control plane 2; building the provider takes up to 6."""


def require() -> None:
    """Raises Refusal, one sentence, for the first thing that this machine lacks to run a cluster."""
    require_kind()
    _require_room()


def require_kind() -> None:
    """The part of `require` that ending a cluster needs as well: a full disk must not keep one alive.

    Raises Refusal.
    """
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        here = f"{platform.system()} on {platform.machine()}"
        raise Refusal(
            f"The local cluster needs Linux on x86-64 and this is {here}: point target.kubeconfig and "
            "target.context in Pulumi.local.yaml at a cluster that you have, and run `pulumi up`."
        )
    if os.geteuid() != 0:
        raise Refusal(
            "The local cluster runs containers and makes network links, which only root may: run it as "
            "root (`sudo -E make …`), or point target.kubeconfig at a cluster that you have."
        )


def _require_room() -> None:
    paths.home().mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(paths.home()).free / 1e9
    built = paths.environments().exists()
    if not built and free < DISK_GB:
        raise Refusal(
            f"The first run needs {DISK_GB} GB at {paths.home()} and {free:.0f} GB are free: free some, "
            "or set TPUSERVE_CACHE to a folder on a larger disk."
        )
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    if total < MEMORY_GB:
        raise Refusal(
            f"The local cluster needs {MEMORY_GB} GB of memory and this machine has {total:.0f} GB."
        )


def alive(pid: int, program: str = "") -> bool:
    """Whether the process runs, and its program's name begins with `program`: ids are given out again.

    One that has ended stays in /proc until its parent asks for its exit code.
    """
    try:
        # After the last ")": the name of the program may itself hold blanks and parentheses.
        before, _, after = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")
    except OSError:
        return False
    return after.split()[0] != "Z" and before.partition("(")[2].startswith(program)
