"""A compile cache made by `make bake`, without a TPU: its name, and what an engine must fix to use one."""

from serving.compilation.fingerprint import Fingerprint
from serving.deploy import container_layout
from serving.engine.config import EngineConfig
from serving.hardware.accelerators import Accelerator
from serving.memory.budget import budget
from serving.models.spec import ModelSpec


def name(fingerprint: Fingerprint) -> str:
    """Of the archive in the artifact bucket."""
    return f"{container_layout.CACHE_ARCHIVES}{fingerprint.digest}.baked.tar.zst"


def problem(accelerator: Accelerator, model: ModelSpec, engine: EngineConfig) -> str | None:
    """Why no baked cache could serve this engine, and the number to set; None when one could.

    The size of the KV cache is part of the key of every whole model, and a server that is not told makes it
    of what its chips have free when it boots. Raises ValueError when the weights cannot be laid out.
    """
    if engine.num_gpu_blocks_override is not None:
        return None
    pages = budget(accelerator, model, engine).pool.pages
    return (
        "engine.num_gpu_blocks_override is not set, so that each boot makes its KV cache of what is free, "
        f"and no cache made before knows that size; set it to {pages}, for which "
        f"{engine.gpu_memory_utilization:g} of HBM has room."
    )
