"""How long a server takes from nothing to its first answer, and the one budget that time-outs derive from.

The rates for v6e were measured by others on one v6e-4 booting gemma-4-26B-A4B-it in bf16 (log of 2026-09-26
in github.com/xbill9/gemma4-dev, vLLM 0.29.1rc1), or come from compiling the programs of 0.32.0 without a
TPU; those of the local stand-in were measured on two cores. Each part says which, and the budget takes each
at the upper end of its uncertainty: a probe that gives up too early kills a healthy boot and costs the
whole cold start again, one that gives up late costs only time.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from serving.compilation.buckets import Programs
from serving.compilation.proofs import Proof
from serving.compilation.resolved_config import resolve
from serving.engine.config import EngineConfig
from serving.hardware.accelerators import Accelerator
from serving.hardware.host_resources import IMAGE_BYTES
from serving.models.catalog import ModelSpec

Source = Literal["measured", "compiled", "computed", "assumed"]

BEFORE_CONTAINER = ("node", "image")
"""Parts that pass before the container starts: a deployment's deadline sees them, a probe does not."""

CALLED_TO_COMPILE = (
    "input_embeddings_merger",
    "input_embeddings_merger_text_only",
    "mm_encoder_jit",
    "greedy_rejection_sampler",
    "random_rejection_sampler",
)
"""Kinds beside the whole models that have no `lower` ("AOT lower skipped" in the log)."""

MIN_BUDGET_SECONDS = 600
"""No budget is smaller: on a loaded machine even the tiny model has taken 160 s."""


@dataclass(frozen=True)
class Part:
    """One stage of a boot, in seconds.

    Cold: a new node, nothing cached. Warm: the node has the image and the compile cache holds every
    program. `basis` says what the number rests on; `uncertainty` is the factor by which cold may be short.
    """

    name: str
    cold_seconds: float
    warm_seconds: float
    source: Source
    uncertainty: float
    basis: str


@dataclass(frozen=True)
class ColdStart:
    """The parts of a boot in order, and their sums in seconds. `basis` says where the time to compile, the
    largest part of a cold boot, comes from."""

    parts: tuple[Part, ...]
    basis: str

    @property
    def cold_seconds(self) -> float:
        """From the request for a node to the first answer, with nothing cached."""
        return sum(part.cold_seconds for part in self.parts)

    @property
    def warm_seconds(self) -> float:
        """The same with the node, the image and the compile cache in place."""
        return sum(part.warm_seconds for part in self.parts)

    @property
    def budget_seconds(self) -> int:
        """What a deployment may take before it counts as failed; whole minutes."""
        return _budget(self.parts)

    @property
    def startup_budget_seconds(self) -> int:
        """What the container alone may take: the startup probe's budget and the engine's ready time-out."""
        return _budget(part for part in self.parts if part.name not in BEFORE_CONTAINER)


@dataclass(frozen=True)
class _Rates:
    """Seconds of one kind of host. `backbone_layer` is for one layer at few tokens; `kinds` are programs
    that take longer than `small`, on average over their shapes."""

    node: float
    image: float
    image_source: Source
    image_basis: str
    server: float
    images: float
    read_bytes_per_second: float
    load_bytes_per_second: float
    backbone_layer: float
    backbone_tokens: float
    kinds: Mapping[str, float]
    small: float
    warm_share: float
    warm_up: float
    where: str


_PULLED_BYTES_PER_SECOND = 100e6

_V6E = _Rates(
    # Assumed: capacity is granted at once (waiting for it has no estimate) and the VM joins in minutes.
    node=240,
    image=IMAGE_BYTES / _PULLED_BYTES_PER_SECOND,
    image_source="computed",
    image_basis=f"{IMAGE_BYTES / 1e9:g} GB unpacked, {_PULLED_BYTES_PER_SECOND / 1e6:.0f} MB/s assumed",
    # Log: 60 s from the process's start to the first weight, 7 s from the engine to "startup complete"; with
    # images the API server warms its image processor for 65 s more.
    server=67,
    images=65,
    # Assumed for Cloud Storage through FUSE with parallel downloads.
    read_bytes_per_second=500e6,
    # Log: 51.6 GB from memory took 153 s, the experts' re-layout included.
    load_bytes_per_second=337e6,
    # Log: 8 backbones of 30 layers, 16 to 2,048 tokens, in 110 s. The growth with the tokens is that of the
    # compile-only client: a factor of about 3 from 16 to 8,192.
    backbone_layer=0.41,
    backbone_tokens=4096,
    kinds={
        # Log: 27 s with top-k and top-p, half a second without.
        "sample": 14,
        # Log: 5.5 s for few rows, less than 1 s from 64 on.
        "structured_decode": 3,
        "gather_logprobs": 1,
        "compute_and_gather_prompt_logprobs": 1,
        # Compiled on two loaded cores, where sampling took 14 to 209 s: 9-29, 10-24, 4-10, 7-368 and
        # 1-10 s. Halved, or for the random sampler taken as sampling with top-k and top-p.
        "_process_and_extend_logits": 10,
        "select_bonus_logits": 8,
        "gather_logprobs_spec": 4,
        "random_rejection_sampler": 27,
        "greedy_rejection_sampler": 2,
        # Assumed: the vision tower has 27 layers.
        "mm_encoder_jit": 15,
    },
    small=0.2,
    # Lowering still happens when the compiled program is cached: 7-12 s of about 40 on two cores.
    warm_share=0.25,
    warm_up=10,
    where="a v6e host",
)

_STAND_IN = _Rates(
    node=0,
    image=5,
    image_source="assumed",
    image_basis="16 MB from an archive; the packages are mounted",
    # Measured boots of 38 to 95 s are mostly imports.
    server=60,
    images=0,
    read_bytes_per_second=100e6,
    load_bytes_per_second=10e6,
    # Measured at tensor parallel 4: 12 whole models of two layers in 69 to 79 s, 64 of them in 618 s on a
    # loaded machine; 45 other programs in 10 s.
    backbone_layer=3,
    backbone_tokens=4096,
    kinds={},
    small=0.2,
    # Measured: 20.1 s of compiling cold, 5.7 s with every program in the cache.
    warm_share=0.28,
    warm_up=5,
    where="two shared cores",
)


def estimate(
    accelerator: Accelerator, model: ModelSpec, engine: EngineConfig, proof: Proof | None = None
) -> ColdStart:
    """The parts of a boot of this engine on this slice; a `proof` says which programs there are to compile,
    and how long each takes in proportion to the others."""
    rates = _STAND_IN if accelerator.is_stand_in else _V6E
    runtime = resolve(model, engine)
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


def _compile(programs: Programs, model: ModelSpec, rates: _Rates, workers: int, proof: Proof | None) -> Part:
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


def _compile_seconds(programs: Programs, model: ModelSpec, rates: _Rates, workers: int) -> float:
    """Seconds of a cold compile. What has no `lower` is built when the boot calls it, one after another
    whatever the number of workers: on the JAX path of 0.32.0 that is every whole model."""
    alone = _whole_models_seconds(programs, model, rates)
    shared = 0.0
    for kind, number in programs.by_kind.items():
        if kind.startswith("backbone"):
            continue
        seconds = number * rates.kinds.get(kind, rates.small)
        if kind in CALLED_TO_COMPILE:
            alone += seconds
        else:
            shared += seconds
    return alone + shared / workers


def _whole_models_seconds(programs: Programs, model: ModelSpec, rates: _Rates) -> float:
    tokens = programs.buckets.tokens
    ladder = sum(model.layers * rates.backbone_layer * (1 + size / rates.backbone_tokens) for size in tokens)
    return ladder * programs.backbones / len(tokens)


def _proven_seconds(
    programs: Programs, model: ModelSpec, rates: _Rates, workers: int, proof: Proof
) -> tuple[float, float]:
    """Cold and warm: the proof's seconds, scaled so that its whole models take what they take on such a host.
    The machine that compiled the proof may be slower than that by any factor."""
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
