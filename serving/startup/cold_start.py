"""Estimate of a server's start, from the request for a node to the first answer, and the budget for timeouts.

Each part says how its number is known (serving/startup/rates.py). The budget takes each part at the upper end
of its uncertainty: a probe that gives up too early kills a healthy boot and costs the whole cold start again,
a probe that gives up late costs only time.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from serving.compilation.buckets import Programs
from serving.compilation.candidate import Candidate
from serving.compilation.proof import Proof
from serving.models.spec import ModelSpec
from serving.startup.rates import MIN_BUDGET_SECONDS, STAND_IN_RATES, V6E_RATES, Rates, Source

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
    program. `basis` says how the number is known. The cold start may take `uncertainty` times as long.
    """

    name: str
    cold_seconds: float
    warm_seconds: float
    source: Source
    uncertainty: float
    basis: str


@dataclass(frozen=True)
class ColdStart:
    """Parts of a boot in order, and their sums in seconds.

    `basis` is the source of the compile time, the largest part of a cold boot.
    """

    parts: tuple[Part, ...]
    basis: str

    @property
    def cold_seconds(self) -> float:
        """Seconds from the request for a node to the first answer, with nothing cached."""
        return sum(part.cold_seconds for part in self.parts)

    @property
    def warm_seconds(self) -> float:
        """Seconds with the node, the image and the compile cache in place."""
        return sum(part.warm_seconds for part in self.parts)

    @property
    def budget_seconds(self) -> int:
        """Seconds that a deployment may take before it counts as failed; whole minutes."""
        return _budget(self.parts)

    @property
    def startup_budget_seconds(self) -> int:
        """Seconds that the container may take: the startup probe's budget and the engine's ready timeout."""
        return _budget(part for part in self.parts if part.name not in BEFORE_CONTAINER)


def estimate(candidate: Candidate) -> ColdStart:
    """Returns the parts of a boot of this engine on this slice.

    A proof says which programs are compiled, and how long each takes in proportion to the others.
    """
    accelerator, model, engine = candidate.accelerator, candidate.model, candidate.engine
    runtime, proof = candidate.runtime, candidate.proof
    rates = STAND_IN_RATES if accelerator.is_stand_in else V6E_RATES
    programs = runtime.programs
    server = rates.server + (rates.images if runtime.multimodal else 0)
    workers = min(engine.num_precompile_workers or 1, accelerator.vcpus or 1)
    loading = model.weight_bytes / rates.load_bytes_per_second
    reading = model.weight_bytes / rates.read_bytes_per_second
    return ColdStart(
        (
            Part("node", rates.node, 0, "assumed", 2, "capacity granted at once"),
            Part("image", rates.image, 0, rates.image_source, 2, rates.image_basis),
            Part("server", server, server, "measured", 2, f"imports on {rates.where}"),
            Part(
                "weights",
                reading + loading,
                loading,
                "computed",
                2,
                f"{model.weight_bytes / 1e9:.2f} GB: read at {rates.read_bytes_per_second / 1e6:.0f} MB/s, "
                f"laid out at {rates.load_bytes_per_second / 1e6:.0f} MB/s",
            ),
            _compile(programs, model, rates, workers, proof),
            Part("warm-up", rates.warm_up, rates.warm_up, "assumed", 3, "one call of each program"),
        ),
        proof.source if proof else "estimate",
    )


def _compile(programs: Programs, model: ModelSpec, rates: Rates, workers: int, proof: Proof | None) -> Part:
    # The wide margin is for reports of 20 to 30 minutes (docs.vllm.ai, TPU installation).
    margin = 3
    if proof:
        cold, warm = _proven_seconds(programs, model, rates, workers, proof)
        basis = f"{len(proof.programs)} programs, {proof.source}, at the pace of {rates.where}"
        return Part("compile", cold, warm, "compiled", margin, basis)
    cold = _compile_seconds(programs, model, rates, workers)
    basis = (
        f"{programs.total} programs, {programs.backbones} of them whole models, at the pace of {rates.where}"
    )
    return Part("compile", cold, cold * rates.warm_share, "computed", margin, basis)


def _compile_seconds(programs: Programs, model: ModelSpec, rates: Rates, workers: int) -> float:
    """Returns the seconds of a cold compile.

    Programs without `lower` are compiled when the boot calls them, one after another whatever the number of
    workers. On the JAX path of 0.32.0 every whole model is such a program.
    """
    sequential = _whole_models_seconds(programs, model, rates)
    shared = 0.0
    for kind, number in programs.by_kind.items():
        if kind.startswith("backbone"):
            continue
        seconds = number * rates.kinds.get(kind, rates.small)
        if kind in CALLED_TO_COMPILE:
            sequential += seconds
        else:
            shared += seconds
    return sequential + shared / workers


def _whole_models_seconds(programs: Programs, model: ModelSpec, rates: Rates) -> float:
    tokens = programs.buckets.tokens
    ladder = sum(model.layers * rates.backbone_layer * (1 + size / rates.backbone_tokens) for size in tokens)
    return ladder * programs.backbones / len(tokens)


def _proven_seconds(
    programs: Programs, model: ModelSpec, rates: Rates, workers: int, proof: Proof
) -> tuple[float, float]:
    """Returns cold and warm seconds: the proof's, scaled so that its whole models take their seconds of
    `rates`.

    The machine that compiled the proof may be slower than the host by any factor.
    """
    seconds = {"cold": 0.0, "warm": 0.0}
    whole = 0.0
    for program in proof.programs:
        both = program.lower_seconds + program.compile_seconds
        backbone = program.kind.startswith("backbone")
        share = 1 if backbone or program.kind in CALLED_TO_COMPILE else workers
        seconds["cold"] += both / share
        seconds["warm"] += program.lower_seconds / share
        whole += both if backbone else 0
    pace = _whole_models_seconds(programs, model, rates) / whole if whole else 1
    return seconds["cold"] * pace, seconds["warm"] * pace


def _budget(parts: Iterable[Part]) -> int:
    upper = sum(part.cold_seconds * part.uncertainty for part in parts)
    return max(MIN_BUDGET_SECONDS, math.ceil(upper / 60) * 60)
