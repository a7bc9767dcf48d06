"""The CPU backend's patches, one by one, in the model server's Python: prints the result of each as JSON."""

import json
import os

import jax
import jax.numpy as jnp
import numpy as np
import tpuserve_cpu_backend as backend
from jax.experimental.pallas import tpu as pltpu
from tpu_inference import utils
from tpu_inference.layers.common.sharding import ShardingConfigManager, ShardingStrategy


def refusal(work) -> str:
    try:
        work()
    except (RuntimeError, ValueError) as problem:
        return f"{type(problem).__name__}: {problem}"
    return "nothing"


def compiled(options: dict[str, str | bool]) -> str:
    return refusal(lambda: jax.jit(jnp.sin, compiler_options=options)(jnp.ones(2)))


def mesh(indexes: list[int] | None) -> list[int] | None:
    return ShardingConfigManager(ShardingStrategy(tensor_parallelism=4), indexes).device_indexes


def changed_sizes() -> list[int]:
    """Returns the sizes of NumPy arrays whose change reaches an array on the device."""
    devices = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("x",))
    sizes: set[int] = set()
    for size in 20 * [16, 256, 4096, 65536, 1048576]:
        source = np.zeros(size, np.int32)
        placed = utils.device_array(devices, source)
        source[:] = 7
        if np.asarray(placed).any():
            sizes.add(size)
    return sorted(sizes)


found: dict[str, object] = {}
for name, change in (("elsewhere", {"JAX_PLATFORMS": "tpu"}), ("no size", {backend.HBM_VARIABLE: "much"})):
    before = {key: os.environ[key] for key in change}
    os.environ.update(change)
    found[name] = refusal(backend.activate.__wrapped__)
    os.environ.update(before)
found["before"] = {
    "changed sizes": changed_sizes(),
    "mesh": mesh(None),
    "tpu option": compiled({"xla_tpu_enable_async": "true"}),
}
written_for = dict(backend.WRITTEN_FOR)
backend.WRITTEN_FOR["jax"] = "0.1"
found["other version"] = refusal(backend.check_versions)
backend.WRITTEN_FOR.update(written_for)

backend.activate()
backend.activate()
found["after"] = {
    "mesh": mesh(None),
    "mesh as set": mesh([3, 2, 1, 0]),
    "tpu option": compiled({"xla_tpu_enable_async": "true"}),
    "unknown option": compiled({"xla_no_such_option": "true"}),
    "cpu option": compiled({"xla_cpu_enable_fast_math": True}),
    "hbm": utils.get_device_hbm_limit(),
    "lanes": pltpu.get_tpu_info().num_lanes,
    "devices": jax.device_count(),
    "changed sizes": changed_sizes(),
}
print(json.dumps(found))
