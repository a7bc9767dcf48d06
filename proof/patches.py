"""Every function of the libraries that a proof replaces, and why. All else that runs is theirs.

All replacements stand at the border to the devices: which there are, what moves onto them, how much memory
they have, and who compiles. The names are those of the versions in environment.WRITTEN_FOR."""

import functools
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from serving.hardware.accelerators import Accelerator


def name_the_chip(accelerator: Accelerator) -> None:
    """Replaces: `tpu_info.device.get_local_chips`, which looks for chips on the PCI bus.

    Why: the platform asks it for the device's name, and chooses types by the name. Before tpu_inference is
    imported, because the import asks.
    """
    from tpu_info import device

    chip = SimpleNamespace(name=accelerator.generation)
    device.get_local_chips = lambda: (chip, accelerator.chips)


def offer_devices(devices: Sequence[Any]) -> None:
    """Replaces: `jax.devices` and `jax.local_devices`, which here know the CPU alone.

    Why: the mesh is made of them, and kernels choose block sizes by `jax.devices()[0].device_kind`.
    """
    import jax

    real = jax.devices
    jax.devices = lambda backend=None: list(devices) if backend in (None, "tpu") else real(backend)
    jax.local_devices = lambda *_, **__: list(devices)


def move_no_data() -> None:
    """Replaces: `jax.device_put` onto a mesh, which has no memory: the answer is shape, type and sharding.

    Inside a program that is being traced, and onto the CPU alone, it is JAX's own.
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
    """Replaces: `model_loader._get_nnx_model`, which reads the checkpoint, by `load` (loading.py)."""
    from tpu_inference.models.common import model_loader

    model_loader._get_nnx_model = load


def allocate_shapes() -> None:
    """Replaces: `kv_cache._get_kv_cache_allocator`, which fills each layer's cache with zeros."""
    import jax
    from tpu_inference.runner import kv_cache

    kv_cache._get_kv_cache_allocator = lambda shape, dtype, sharding: functools.partial(
        jax.ShapeDtypeStruct, shape, dtype, sharding=sharding
    )


def answer_memory(limit: int, used: Callable[[], int]) -> None:
    """Replaces: `utils.hbm_usage_bytes`, which asks each device for its memory statistics.

    Why: `TPUWorker.determine_available_memory` makes the KV cache of what they leave. Here every chip has
    `limit` bytes and holds `used()`, the weights.
    """
    from tpu_inference import utils

    utils.hbm_usage_bytes = lambda devices: [(used(), limit) for _ in devices]


def compile_elsewhere(asked: Callable[..., None], flushed: Callable[[], None]) -> None:
    """Replaces: how CompilationManager makes dummy arguments (`_create_dummy_tensor`, and `jnp.zeros` and
    `jnp.ones` in its module), compiles a program and calls it once.

    Why: arguments are shapes; compiling is ours, one program after another with a record of each; and there
    is nothing to call. Which programs, in which order and with which arguments stays the library's."""
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
        asked(name, fn, args, call_kwargs or {}, not compile_only, signature)

    class Shapes:
        """jax.numpy without data: under the slice's mesh the real ones would run on its devices."""

        zeros = ones = staticmethod(jax.ShapeDtypeStruct)

        def __getattr__(self, name: str) -> Any:
            return getattr(jax.numpy, name)

    compilation_manager.jnp = Shapes()
    CompilationManager._create_dummy_tensor = dummy
    CompilationManager._run_compilation = run
    CompilationManager._flush_compilations = lambda self: flushed()
