"""The compile cache's step before each start of a server in a pod: a `vllm.general_plugins` entry point.

Kubernetes restarts a container in its pod without running the init containers again. So the server itself
empties the cache after a baked one has ended it, and deletes the programs that it wrote in part.
`TPUSERVE_CACHE_FOLDER` names JAX's folder; without this variable nothing happens (a TPU VM's systemd unit
does the same).
"""

import logging
import os
from pathlib import Path

from agent.compile_cache.start import start

FOLDER_VARIABLE = "TPUSERVE_CACHE_FOLDER"

logger = logging.getLogger("vllm.tpuserve.cache")


def register() -> None:
    """Be the entry point.

    vLLM calls it in all its processes, first in the one that starts the others (`EngineArgs.__post_init__`).
    It removes the variable, so that the others, which may be compiling, do nothing.
    """
    folder = os.environ.pop(FOLDER_VARIABLE, None)
    if folder is None:
        return
    try:
        report = start(Path(folder))
    except OSError as problem:
        report = f"{folder} cannot be checked ({problem}): the server starts with what is there"
    if report:
        logger.warning("%s", report)
