"""Check of the chips before a server reads its weights: a `vllm.general_plugins` entry point.

A server that may not open its chips ends minutes later in libtpu, with a log of many pages. This check ends
it in its first seconds, with one sentence. `TPUSERVE_CHIPS` has the number of chips that the pod requests;
without this variable nothing happens.
"""

import errno
import logging
import os
import re
import resource
from collections.abc import Iterator
from pathlib import Path

CHIPS_VARIABLE = "TPUSERVE_CHIPS"
DEVICES = Path("/dev")

logger = logging.getLogger("vllm.tpuserve.chips")


class ChipsUnusable(Exception):
    """The server cannot work with the chips that it has."""


def register() -> None:
    """Be the entry point. Raises ChipsUnusable.

    vLLM calls it in all its processes, first in the one that starts the others (`EngineArgs.__post_init__`).
    It removes the variable, so that the others, which hold the chips, do nothing.
    """
    chips = os.environ.pop(CHIPS_VARIABLE, None)
    if chips is not None:
        logger.info("%s", check(int(chips), DEVICES))


def check(chips: int, devices: Path) -> str:
    """Returns a sentence on the chips below `devices`, after each was opened and closed.

    Raises ChipsUnusable when this user may not open one, or when there are fewer than `chips`. A folder
    without any chip that this module knows is left to libtpu, and so is one that another process has open.
    """
    found = list(_chips(devices))
    if not found:
        return f"{devices} has no device file of a chip that is known here: libtpu decides"
    if len(found) < chips:
        raise ChipsUnusable(
            f"the container has {len(found)} of the {chips} TPU chips that the pod requests "
            f"({', '.join(map(str, found))}): the node's device plugin or its topology is wrong."
        )
    doubts = [f"{device}: {doubt}" for device in found if (doubt := _doubt(device))]
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if limit != resource.RLIM_INFINITY:
        # The kernel counts memory that a chip may read against it, except for a process with CAP_IPC_LOCK.
        doubts.append(f"only {limit} bytes of memory may be locked (RLIMIT_MEMLOCK)")
    end = f", but {'; '.join(doubts)}" if doubts else ""
    return f"user {os.getuid()} has {len(found)} of {chips} chips{end}"


def _chips(devices: Path) -> Iterator[Path]:
    """Yields the chips' device files: vfio's groups, vfio's devices, or those of Google's older driver."""
    for folder, name in (("vfio", r"\d+"), ("vfio/devices", r"vfio\d+"), (".", r"accel\d+")):
        files = sorted(devices.glob(f"{folder}/*"))
        chips = [file for file in files if re.fullmatch(name, file.name)]
        if chips:
            yield from chips
            return


def _doubt(device: Path) -> str | None:
    """Returns why a device file could not be opened; None if it could. Raises ChipsUnusable for a user who
    may not."""
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except OSError as problem:
        if problem.errno in (errno.EACCES, errno.EPERM):
            raise ChipsUnusable(
                f"{device}: Permission denied for user {os.getuid()}: the node lets another user open its "
                "chips."
            ) from None
        return problem.strerror
    return None
