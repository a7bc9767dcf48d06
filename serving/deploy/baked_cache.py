"""The compile cache that `make bake` makes without a TPU: its name, and the check that an engine can use
it."""

from serving.compilation.candidate import Candidate
from serving.compilation.fingerprint import Fingerprint
from serving.deploy import container_layout
from serving.memory.budget import budget


def name(fingerprint: Fingerprint) -> str:
    """Returns the name of the archive in the artifact bucket."""
    return f"{container_layout.CACHE_ARCHIVES}{fingerprint.digest}.baked.tar"


def problem(candidate: Candidate) -> str | None:
    """Returns why this engine can use no baked cache, with the number to set; None if it can.

    The key of every whole-model program includes the size of the KV cache. Without num_gpu_blocks_override a
    server sizes it by the HBM that is free when it boots. Raises ValueError when the weights cannot be laid
    out.
    """
    if candidate.engine.num_gpu_blocks_override is not None:
        return None
    pages = budget(candidate).pool.pages
    return (
        "engine.num_gpu_blocks_override is not set, so each boot sizes its KV cache by the free HBM, and "
        f"no baked cache can match that size; set it to {pages}, for which "
        f"{candidate.engine.gpu_memory_utilization:g} of HBM has room."
    )
