"""The real engine, booted over shapes: its bytes on each chip, and the programs that it requests."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from proof import patches
from proof.environment import ProofError
from serving.engine.config import EngineConfig
from serving.hardware.accelerators import Accelerator
from serving.messages.units import gib


@dataclass(frozen=True)
class Request:
    """One program that the boot requests."""

    number: int
    kind: str
    shape: str
    fn: Any
    """The function that the boot calls, jitted or not."""
    arguments: tuple[Any, ...]
    named: Mapping[str, Any]
    flush: int
    """Number of the batch in which the boot calls it once as a warm-up; -1 when the boot only compiles it."""


@dataclass
class BootedEngine:
    """A booted engine. Bytes are those of one chip."""

    config: Any
    requests: list[Request] = field(default_factory=list[Request])
    weights: dict[str, int] = field(default_factory=dict[str, int])
    runner: Any = None
    flush: int = 0

    @property
    def resident_bytes(self) -> int:
        """Returns the bytes of all weights."""
        return sum(self.weights.values())

    @property
    def pages(self) -> int:
        """Returns the pages of the KV cache that the engine planned."""
        return self.config.cache_config.num_gpu_blocks

    @property
    def kv_bytes(self) -> int:
        """Returns the bytes of the KV cache."""
        return sum(on_chip(cache) for cache in self.runner.kv_caches)

    def add_request(
        self, name: str, fn: Any, arguments: tuple[Any, ...], named: Mapping[str, Any], called: bool,
        signature: Mapping[str, Any],
    ) -> None:  # fmt: skip
        """Adds one program. Partial functions are unwrapped as the library does."""
        while isinstance(fn, functools.partial):
            arguments, named, fn = fn.args + arguments, {**fn.keywords, **named}, fn.func
        kind = " ".join(word for word in name.split() if not word.startswith("worker"))
        kind = kind.replace("[worker0 ", "[")
        words = [f"{key}={value}" for key, value in signature.items() if isinstance(value, (int, str))]
        flush = self.flush if called else -1
        self.requests.append(Request(len(self.requests), kind, " ".join(words), fn, arguments, named, flush))

    def flushed(self) -> None:
        """Ends the present batch of warm-up calls."""
        self.flush += 1


def on_chip(array: Any) -> int:
    """Returns the bytes of one shard; of the whole array if it has no sharding."""
    shape = array.sharding.shard_shape(array.shape) if array.sharding is not None else array.shape
    return int(np.prod(shape)) * array.dtype.itemsize


def slice_devices(accelerator: Accelerator) -> list[Any]:
    """Returns the slice's devices in libtpu's compile-only client.

    Raises ProofError if it has no such slice.
    """
    from jax.experimental import topologies

    name = f"{accelerator.generation}:{accelerator.gke_topology}"
    # Every slice of the table is one host; without bounds, libtpu assumes hosts of 2x2 chips.
    bounds = [*(int(side) for side in accelerator.gke_topology.split("x")), 1]
    try:
        topology = topologies.get_topology_desc(
            platform="tpu", topology_name=name, chips_per_host_bounds=bounds
        )
        return list(topology.devices)
    except Exception as error:
        raise ProofError(
            f"libtpu cannot compile for {name} ({_first_line(error)}): prove another slice, or install "
            "libtpu of requirements/vllm-cpu.txt."
        ) from None


def boot(
    engine: EngineConfig, folder: Path, accelerator: Accelerator, devices: Sequence[Any]
) -> BootedEngine:
    """Boots the engine of `folder`'s model on `devices`. Raises ProofError with the engine's reason.

    The caller has called `environment.prepare` and `patches.name_the_chip`.
    """
    from proof import abstract_weights

    patches.offer_devices(devices)
    patches.move_no_data()
    config = configuration(engine, folder)
    booted = BootedEngine(config)

    def load(*arguments: Any, **named: Any) -> Any:
        model = abstract_weights.abstract_model(*arguments, **named)
        for path, size in weights(model):
            group = _group(path)
            booted.weights[group] = booted.weights.get(group, 0) + size
        return model

    patches.load_shapes(load)
    patches.allocate_shapes()
    patches.answer_memory(accelerator.hbm_bytes_per_chip, lambda: booted.resident_bytes)
    patches.collect_requests(booted.add_request, booted.flushed)
    from vllm.v1.engine.core import EngineCore
    from vllm.v1.executor.abstract import Executor

    try:
        core = EngineCore(config, Executor.get_class(config), log_stats=False)
    except (ValueError, NotImplementedError, AssertionError) as error:
        cap = int(accelerator.hbm_bytes_per_chip * engine.gpu_memory_utilization)
        if booted.resident_bytes >= cap:
            raise ProofError(
                f"engine.gpu_memory_utilization is {engine.gpu_memory_utilization:g}: the weights take "
                f"{gib(booted.resident_bytes)} of each chip, and that share of its HBM is "
                f"{gib(cap)}; take a larger slice or a smaller model."
            ) from None
        raise ProofError(
            f"The engine does not boot with this configuration: {_first_line(error)} Change the field that "
            "it names."
        ) from None
    booted.runner = core.model_executor.driver_worker.worker.model_runner
    return booted


def configuration(engine: EngineConfig, folder: Path) -> Any:
    """Returns vLLM's configuration, which its parser makes of the engine's command line.

    Raises ProofError with vLLM's reason.
    """
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.entrypoints.launchers.cli_args import make_arg_parser
    from vllm.usage.usage_lib import UsageContext
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    # `vllm serve MODEL FLAGS`: the parser is that of `serve`.
    words = list(engine.argv(str(folder), folder.name, 1)[2:])
    parsed = make_arg_parser(FlexibleArgumentParser()).parse_args(words)
    parsed.model = parsed.model_tag
    try:
        arguments = AsyncEngineArgs.from_cli_args(parsed)
        return arguments.create_engine_config(usage_context=UsageContext.OPENAI_API_SERVER)
    except (ValueError, NotImplementedError) as error:
        raise ProofError(
            f"vLLM refuses this configuration: {_first_line(error)} Change the field that it names."
        ) from None


def weights(model: Any) -> list[tuple[str, int]]:
    """Returns the path of every parameter and its bytes on one chip."""
    import jax
    from flax import nnx

    leaves = jax.tree_util.tree_leaves_with_path(nnx.split(model)[1])
    return [("/".join(str(getattr(key, "key", key)) for key in path), on_chip(leaf)) for path, leaf in leaves]


_GROUPS = (
    ("vision", "vision"),
    ("embed", "embedding"),
    ("per_layer_", "per-layer projections"),
    ("router", "router"),
    ("experts", "experts"),
    ("self_attn", "attention"),
    ("/mlp/", "MLP"),
)


def _group(path: str) -> str:
    """Returns the parameter's group, by its name in serving/memory/weights.py."""
    return next((name for part, name in _GROUPS if part in path), "norms")


def _first_line(error: BaseException) -> str:
    """Returns the first line of an error, ending with a period."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return text if text.endswith(".") else f"{text}."
