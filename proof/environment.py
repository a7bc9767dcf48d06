"""What must hold before vllm-tpu is imported: the right versions, and a process that looks like its engine's.

Only this module may be imported first; it imports nothing of JAX.
"""

import os
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from serving.hardware.accelerators import Accelerator

WRITTEN_FOR = {"vllm-tpu": "0.32.0", "tpu-inference": "0.32.0", "jax": "0.11.2", "libtpu": "0.0.48"}
"""patches.py names private functions; another version may have moved or changed them."""

OWN_FLAGS = {
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
    "LIBTPU_INIT_ARGS": "--xla_tpu_use_dynamic_smem_negotiation=true",
}
"""What `tpu_inference.env_override` puts before each variable when it is imported. `vllm serve` imports it in
its own process and again in the engine's, which inherits the variables, so that the engine has each flag
twice. JAX hashes these variables into the key of the compile cache, repetitions included
(`cache_key._hash_xla_flags`).
"""

CHIPS_FLAG = "--xla_tpu_use_enhanced_launch_barrier=true"
"""What `jax._src.cloud_tpu_init` adds to LIBTPU_INIT_ARGS on a host that has chips; this one has none."""


class Refused(Exception):
    """Why there is no proof. The text is one sentence for the user: what was asked, what is possible, what to
    change."""


def versions() -> dict[str, str]:
    """The installed versions that decide what is compiled. Raises Refused unless they are WRITTEN_FOR."""
    found: dict[str, str] = {}
    for name in WRITTEN_FOR:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "absent"
    wrong = ", ".join(f"{name} is {found[name]}" for name in WRITTEN_FOR if found[name] != WRITTEN_FOR[name])
    if wrong:
        wanted = ", ".join(f"{name} {version}" for name, version in WRITTEN_FOR.items())
        raise Refused(
            f"A proof needs {wanted}, and in {sys.prefix} {wrong}: run it as `make prove`, which builds "
            "and uses the model server's environment."
        )
    return found


def flags(given: Mapping[str, str], *, chips: bool) -> dict[str, str]:
    """OWN_FLAGS' variables before the import of tpu_inference, which makes them what a server's engine has.
    `given` is what the server is started with, and `chips` says whether its host has chips."""
    found = {name: f"{flag} {given.get(name, '')}".strip() for name, flag in OWN_FLAGS.items()}
    if chips and CHIPS_FLAG.partition("=")[0] not in found["LIBTPU_INIT_ARGS"]:
        found["LIBTPU_INIT_ARGS"] += f" {CHIPS_FLAG}"
    return found


def prepare(engine: Mapping[str, str], accelerator: Accelerator, cache: Path) -> None:
    """Set this process's environment: the engine's own variables, and what replaces the host of a slice.

    `cache` is where JAX keeps compiled programs.
    """
    os.environ.update(engine)
    os.environ.update(
        # Concrete arrays (random keys, block tables) live on the CPU; the slice has no memory to hold any.
        JAX_PLATFORMS="cpu",
        # Answers of the TPU VM's metadata server, which would be asked for minutes.
        TPU_SKIP_MDS_QUERY="1",
        TPU_ACCELERATOR_TYPE=accelerator.tpu_type or "",
        TPU_NAME="proof",
        TPU_WORKER_ID="0",
        TPU_WORKER_HOSTNAMES="localhost",
        # Else a lock file admits one process with libtpu at a time, and a server here might be it.
        ALLOW_MULTIPLE_LIBTPU_LOAD="1",
        # The engine in this process, and none of its plugins: the CPU backend would replace kernels.
        VLLM_ENABLE_V1_MULTIPROCESSING="0",
        VLLM_PLUGINS="",
        # compiling.py does what the worker threads would do.
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
