"""Preparation of the process before vllm-tpu is imported: versions and environment variables.

Import this module before any other of the proof that imports JAX; it imports none itself.
"""

import os
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from serving.hardware.accelerators import Accelerator

WRITTEN_FOR = {"vllm-tpu": "0.32.0", "tpu-inference": "0.32.0", "jax": "0.11.2", "libtpu": "0.0.48"}
"""Versions of the packages whose private functions patches.py replaces."""

IMPORT_FLAGS = {
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
    "LIBTPU_INIT_ARGS": "--xla_tpu_use_dynamic_smem_negotiation=true",
}
"""Flags that the import of `tpu_inference.env_override` puts before each variable.

`vllm serve` imports it in its process and again in the engine's process, which inherits the variables, so the
engine has each flag twice. JAX hashes these variables into the key of the compile cache, repetitions included
(`cache_key._hash_xla_flags`).
"""

CHIPS_FLAG = "--xla_tpu_use_enhanced_launch_barrier=true"
"""Flag that `jax._src.cloud_tpu_init` adds to LIBTPU_INIT_ARGS on a host with chips; this host has none."""


class ProofError(Exception):
    """Reason why there is no proof.

    The text is one sentence for the user: what was asked, what is possible, what to change.
    """


def versions() -> dict[str, str]:
    """Returns the installed versions. Raises ProofError unless they are those of WRITTEN_FOR."""
    installed: dict[str, str] = {}
    for name in WRITTEN_FOR:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            installed[name] = "absent"
    wrong = ", ".join(
        f"{name} is {version}" for name, version in installed.items() if version != WRITTEN_FOR[name]
    )
    if wrong:
        needed = ", ".join(f"{name} {version}" for name, version in WRITTEN_FOR.items())
        raise ProofError(
            f"A proof needs {needed}, and in {sys.prefix} {wrong}: run it as `make prove`, which builds "
            "and uses the model server's environment."
        )
    return installed


def flags(given: Mapping[str, str], *, chips: bool) -> dict[str, str]:
    """Returns the variables that the import of tpu_inference turns into those of a server's engine.

    `given` is the server's environment. `chips` is true if the server's host has chips.
    """
    variables = {name: f"{flag} {given.get(name, '')}".strip() for name, flag in IMPORT_FLAGS.items()}
    if chips and CHIPS_FLAG.partition("=")[0] not in variables["LIBTPU_INIT_ARGS"]:
        variables["LIBTPU_INIT_ARGS"] += f" {CHIPS_FLAG}"
    return variables


def prepare(engine: Mapping[str, str], accelerator: Accelerator, cache: Path) -> None:
    """Sets this process's environment: the engine's variables, and those that replace the host of a slice.

    `cache` is the folder of JAX's compile cache.
    """
    os.environ.update(engine)
    os.environ.update(
        # Concrete arrays (random keys, block tables) are on the CPU; the slice has no memory.
        JAX_PLATFORMS="cpu",
        # Values that libtpu would otherwise request from the TPU VM's metadata server, for minutes.
        TPU_SKIP_MDS_QUERY="1",
        TPU_ACCELERATOR_TYPE=accelerator.tpu_type or "",
        TPU_NAME="proof",
        TPU_WORKER_ID="0",
        TPU_WORKER_HOSTNAMES="localhost",
        # Without it a lock file admits one process with libtpu at a time.
        ALLOW_MULTIPLE_LIBTPU_LOAD="1",
        # Run the engine in this process, without plugins: the CPU backend would replace kernels.
        VLLM_ENABLE_V1_MULTIPROCESSING="0",
        VLLM_PLUGINS="",
        # compile_programs.py does the work of these threads.
        NUM_PRECOMPILE_WORKERS="1",
        VLLM_XLA_CACHE_PATH=str(cache),
        VLLM_CACHE_ROOT=str(cache.parent / "vllm"),
        HF_HUB_OFFLINE="1",
        VLLM_NO_USAGE_STATS="1",
        DO_NOT_TRACK="1",
        VLLM_LOGGING_LEVEL="ERROR",
        TPU_MIN_LOG_LEVEL="3",
        TF_CPP_MIN_LOG_LEVEL="3",
    )
    os.environ.update(flags(engine, chips=True))
    # Lowering 30 layers nests deeper than Python allows by default.
    sys.setrecursionlimit(20_000)
