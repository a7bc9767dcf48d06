"""Replacements of library functions in a proof, each with its reason. All other code is the libraries'.

The replaced functions are those that touch devices: the list of devices, transfers, memory sizes and
compilation. Their names are those of the versions in environment.WRITTEN_FOR.
"""

import functools
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from serving.hardware.accelerators import Accelerator


def name_the_chip(accelerator: Accelerator) -> None:
    """Replaces `tpu_info.device.get_local_chips`, which looks for chips on the PCI bus.

    Reason: the platform reads the device's name from it, and chooses types by the name. Call this before
    tpu_inference is imported, because the import reads it.
    """
    from tpu_info import device

    chip = SimpleNamespace(name=accelerator.generation)
    device.get_local_chips = lambda: (chip, accelerator.chips)


def offer_devices(devices: Sequence[Any]) -> None:
    """Replaces `jax.devices` and `jax.local_devices`, which know only the CPU here.

    Reason: the mesh is made of these devices, and kernels choose block sizes by
    `jax.devices()[0].device_kind`.
    """
    import jax

    real = jax.devices
    jax.devices = lambda backend=None: list(devices) if backend in (None, "tpu") else real(backend)
    jax.local_devices = lambda *_, **__: list(devices)


def move_no_data() -> None:
    """Replaces `jax.device_put` onto a mesh: it returns shape, type and sharding.

    Reason: the mesh's devices have no memory. Inside a traced program, and onto the CPU, it stays JAX's.
    """
    import jax

    real = jax.device_put

    def abstract(value: Any, sharding: Any) -> Any:
        kind = value.dtype if hasattr(value, "dtype") else np.asarray(value).dtype
        return jax.ShapeDtypeStruct(np.shape(value), kind, sharding=sharding)

    @functools.wraps(real)
    def device_put(x: Any, device: Any = None, **options: Any) -> Any:
        leaves = jax.tree.leaves(x)
        if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
            return real(x, device, **options)
        sharding = getattr(device, "sharding", device)
        shapes = any(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in leaves)
        if shapes or isinstance(sharding, jax.sharding.NamedSharding):
            return jax.tree.map(lambda leaf: abstract(leaf, sharding), x)
        return real(x, device, **options)

    jax.device_put = device_put


def load_shapes(load: Callable[..., Any]) -> None:
    """Replaces `model_loader._get_nnx_model`, which reads the checkpoint, by `load` (abstract_weights.py)."""
    from tpu_inference.models.common import model_loader

    model_loader._get_nnx_model = load


def allocate_shapes() -> None:
    """Replaces `kv_cache._get_kv_cache_allocator`, which fills each layer's cache with zeros.

    Reason: the slice has no memory.
    """
    import jax
    from tpu_inference.runner import kv_cache

    kv_cache._get_kv_cache_allocator = lambda shape, dtype, sharding: functools.partial(
        jax.ShapeDtypeStruct, shape, dtype, sharding=sharding
    )


def answer_memory(limit: int, used: Callable[[], int]) -> None:
    """Replaces `utils.hbm_usage_bytes`, which reads each device's memory statistics.

    Reason: `TPUWorker.determine_available_memory` sizes the KV cache by them. Here every chip has `limit`
    bytes, of which the weights use `used()`.
    """
    from tpu_inference import utils

    utils.hbm_usage_bytes = lambda devices: [(used(), limit) for _ in devices]


def collect_requests(add: Callable[..., None], flushed: Callable[[], None]) -> None:
    """Replaces the functions with which CompilationManager makes dummy arguments (`_create_dummy_tensor`, and
    `jnp.zeros` and `jnp.ones` in its module), compiles a program and calls it once.

    Reason: arguments are shapes, so that no program can be called, and compile_programs.py compiles one
    program after another with a record of each. The library still decides which programs, in which order and
    with which arguments. `add` gets each program, `flushed` is called at the end of each batch.
    """
    import jax
    from jax.sharding import NamedSharding, PartitionSpec
    from tpu_inference.runner import compilation_manager
    from tpu_inference.runner.compilation_manager import CompilationManager
    from tpu_inference.utils import to_jax_dtype

    def dummy(self: Any, shape: Sequence[int], dtype: Any, sharding: Any = None) -> Any:
        whole = sharding or NamedSharding(self.runner.mesh, PartitionSpec(None))
        return jax.ShapeDtypeStruct(tuple(shape), to_jax_dtype(dtype), sharding=whole)

    def run(
        self: Any, name: str, fn: Any, *args: Any,
        call_kwargs: dict[str, Any] | None = None, compile_only: bool = False,
        warmup_handler: Any = None, aot: bool = True, **signature: Any,
    ) -> None:  # fmt: skip
        add(name, fn, args, call_kwargs or {}, not compile_only, signature)

    class Shapes:
        """jax.numpy whose `zeros` and `ones` are shapes: the real ones would run on the slice's devices."""

        zeros = ones = staticmethod(jax.ShapeDtypeStruct)

        def __getattr__(self, name: str) -> Any:
            return getattr(jax.numpy, name)

    compilation_manager.jnp = Shapes()
    CompilationManager._create_dummy_tensor = dummy
    CompilationManager._run_compilation = run
    CompilationManager._flush_compilations = lambda self: flushed()
