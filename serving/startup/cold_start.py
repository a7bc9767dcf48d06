"""Estimate of a server's start, from the request for a node to the first answer, and the budget for timeouts.

Each part says how its number is known (serving/startup/rates.py). A start is a range around the sum of its
parts. The budget is a margin above the upper end: a probe that gives up too early kills a healthy boot and
costs the whole cold start again, a probe that gives up late costs only time.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from serving.compilation.buckets import Programs
from serving.compilation.candidate import Candidate
from serving.models.spec import ModelSpec
from serving.startup.rates import MIN_BUDGET_SECONDS, Rates, Source, architecture, rates

BEFORE_CONTAINER = ("node", "image")
"""Parts before the container starts: a deployment's deadline includes them, a probe's does not."""

CALLED_TO_COMPILE = (
    "input_embeddings_merger",
    "input_embeddings_merger_text_only",
    "mm_encoder_jit",
    "greedy_rejection_sampler",
    "random_rejection_sampler",
)
"""Kinds of program besides the whole models that have no `lower` ("AOT lower skipped" in the log)."""


@dataclass(frozen=True)
class Part:
    """One stage of a boot, in seconds.

    Cold: a new node with nothing cached. Warm: the node has the image, and the compile cache has every
    program. `basis` says how the number is known.
    """

    name: str
    cold_seconds: float
    warm_seconds: float
    source: Source
    basis: str


@dataclass(frozen=True)
class Range:
    """Seconds between which a boot, or a part of one, is expected."""

    low: float
    high: float


@dataclass(frozen=True)
class ColdStart:
    """Parts of a boot in order, and their sums in seconds.

    A boot takes `spread` times less or more than the sum of its parts. A deadline is `margin` times the upper
    end. `basis` is the source of the seconds.
    """

    parts: tuple[Part, ...]
    basis: str
    spread: float
    margin: float

    def range(self, seconds: float) -> Range:
        """Returns the range around `seconds`."""
        return Range(seconds / self.spread, seconds * self.spread)

    @property
    def cold(self) -> Range:
        """Seconds from the request for a node to the first answer, with nothing cached."""
        return self.range(sum(part.cold_seconds for part in self.parts))

    @property
    def warm(self) -> Range:
        """Seconds with the node, the image and the compile cache in place."""
        return self.range(sum(part.warm_seconds for part in self.parts))

    def without(self, *names: str) -> Range:
        """Returns the range of a cold boot for which the parts of these names are already done."""
        return self.range(sum(part.cold_seconds for part in self.parts if part.name not in names))

    @property
    def budget_seconds(self) -> int:
        """Seconds that a deployment may take before it counts as failed; whole minutes."""
        return self._budget(self.parts)

    @property
    def startup_budget_seconds(self) -> int:
        """Seconds that the container may take: the startup probe's budget and the engine's ready timeout."""
        return self._budget(part for part in self.parts if part.name not in BEFORE_CONTAINER)

    def _budget(self, parts: Iterable[Part]) -> int:
        upper = self.range(sum(part.cold_seconds for part in parts)).high
        return max(MIN_BUDGET_SECONDS, math.ceil(upper * self.margin / 60) * 60)


def estimate(candidate: Candidate) -> ColdStart:
    """Returns the parts of a boot of this engine on this slice.

    A proof has no part in it: its seconds are those of the machine that compiled it, under its load.
    """
    accelerator, model, engine = candidate.accelerator, candidate.model, candidate.engine
    runtime, host = candidate.runtime, rates(accelerator)
    server = host.server + (host.images if runtime.multimodal else 0)
    workers = min(engine.num_precompile_workers or 1, accelerator.vcpus or 1)
    load = host.models[architecture(model)].load_bytes_per_second
    reading, loading = model.weight_bytes / host.read_bytes_per_second, model.weight_bytes / load
    several = engine.tensor_parallel_size > 1
    programs = runtime.programs
    known: Source = "assumed" if accelerator.is_stand_in else "measured"
    compiling = host.pace * _compile_seconds(programs, model, host, workers, several)
    return ColdStart(
        (
            Part("node", host.node, 0, "assumed", "capacity granted at once"),
            Part("image", host.image, 0, host.image_source, host.image_basis),
            Part("server", server, server, "measured", f"imports, {host.where}"),
            Part(
                "weights",
                reading + loading,
                loading,
                known,
                f"{model.weight_bytes / 1e9:.2f} GB: read at {host.read_bytes_per_second / 1e6:.0f} MB/s, "
                f"laid out at {load / 1e6:.0f} MB/s",
            ),
            Part(
                "compile",
                compiling,
                compiling * host.warm_share,
                "scaled",
                f"{programs.total} programs, {programs.backbones} of them whole models, {host.where}",
            ),
            Part("warm-up", host.warm_up, host.warm_up, known, "one call of each program"),
        ),
        host.where,
        host.spread,
        host.margin,
    )


def _compile_seconds(programs: Programs, model: ModelSpec, host: Rates, workers: int, several: bool) -> float:
    """Returns the seconds of a cold compile; `several` is true for more than one chip.

    Programs without `lower` are compiled when the boot calls them, one after another whatever the number of
    workers. On the JAX path of 0.32.0 every whole model is such a program.
    """
    sequential = _whole_models_seconds(programs, model, host)
    shared = 0.0
    for name, number in programs.by_kind.items():
        if name.startswith("backbone"):
            continue
        kind = host.kinds.get(name)
        each = host.small if kind is None else kind.several if several else kind.one_chip
        if name in CALLED_TO_COMPILE:
            sequential += number * each
        else:
            shared += number * each
    return sequential + shared / workers


def _whole_models_seconds(programs: Programs, model: ModelSpec, host: Rates) -> float:
    tokens, layer = programs.buckets.tokens, host.models[architecture(model)].layer
    ladder = sum(model.layers * layer * (1 + size / host.tokens) for size in tokens)
    return ladder * programs.backbones / len(tokens)
