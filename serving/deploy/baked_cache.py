"""A compile cache made by `make bake`, without a TPU: its name, and what an engine must fix to use one."""

from serving.compilation.candidate import Candidate
from serving.compilation.fingerprint import Fingerprint
from serving.deploy import container_layout
from serving.memory.budget import budget


def name(fingerprint: Fingerprint) -> str:
    """Of the archive in the artifact bucket."""
    return f"{container_layout.CACHE_ARCHIVES}{fingerprint.digest}.baked.tar.zst"


def problem(candidate: Candidate) -> str | None:
    """Returns why no baked cache could serve this engine, and the number to set; None when one could.

    The size of the KV cache is part of the key of every whole model, and a server that is not told makes it
    of what its chips have free when it boots. Raises ValueError when the weights cannot be laid out.
    """
    if candidate.engine.num_gpu_blocks_override is not None:
        return None
    pages = budget(candidate).pool.pages
    return (
        "engine.num_gpu_blocks_override is not set, so that each boot makes its KV cache of what is free, "
        f"and no cache made before knows that size; set it to {pages}, for which "
        f"{candidate.engine.gpu_memory_utilization:g} of HBM has room."
    )
