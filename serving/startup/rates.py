"""Seconds and bytes per second of one kind of host, each with its source.

The rates for v6e are fitted on the public boots of serving/memory/measured_boots.py, by architecture and by
the number of chips; where a program was compiled in none of them, its seconds come from compiling it without
a TPU. Those of the local stand-in were measured on two cores.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from serving.hardware.accelerators import Accelerator
from serving.hardware.host_resources import IMAGE_BYTES
from serving.models.spec import ModelSpec

MIN_BUDGET_SECONDS = 600
"""Least budget of a start, in seconds: on a loaded machine even the tiny model took 160 s. The policies
refuse a startup probe that allows less."""

Source = Literal["measured", "scaled", "assumed"]

Architecture = Literal["dense", "experts", "per-layer embeddings"]


@dataclass(frozen=True)
class ModelRates:
    """Rates of one architecture. `layer` is for one layer of a whole model at few tokens, in seconds."""

    layer: float
    load_bytes_per_second: float


@dataclass(frozen=True)
class Kind:
    """Seconds of one kind of program, on average over its shapes, on one chip and on several."""

    one_chip: float
    several: float


@dataclass(frozen=True)
class Rates:
    """Seconds of one kind of host.

    A boot takes `spread` times less or more than the sum of the parts. A deadline is `margin` times the upper
    end. `kinds` are programs that take longer than `small`. `warm_share` is the part of the compile time that
    a boot with a filled compile cache still takes.
    """

    node: float
    image: float
    image_source: Source
    image_basis: str
    server: float
    images: float
    read_bytes_per_second: float
    models: Mapping[Architecture, ModelRates]
    tokens: float
    """Tokens at which a whole model takes twice as long to compile as at few."""
    kinds: Mapping[str, Kind]
    small: float
    pace: float
    """Factor of this host for all programs."""
    warm_share: float
    warm_up: float
    spread: float
    margin: float
    where: str


def _everywhere(seconds: float) -> Kind:
    return Kind(seconds, seconds)


_PULL_SECONDS = 40

V6E_RATES = Rates(
    # Assumed: capacity is granted at once (waiting for it has no estimate) and the VM joins in minutes. No
    # public boot has this time.
    node=240,
    # 26B on a v6e-4, 2026-09-26.
    image=_PULL_SECONDS,
    image_source="measured",
    image_basis=f"{IMAGE_BYTES / 1e9:g} GB unpacked, pulled in {_PULL_SECONDS} s on a v6e-4",
    # From the process's start to the first weight, and from the engine to "startup complete". Without images:
    # 26B 82 s, E2B 121 s. With images the API server also warms its image processor: 31B 150 s, E2B 156 s.
    server=90,
    images=60,
    # 58.25 GiB of the 31B from a bucket to memory in 337 s, as one stream. No public boot reads through Cloud
    # Storage FUSE with parallel downloads, which may be faster.
    read_bytes_per_second=186e6,
    # Layers: 8 whole models of 16 to 2,048 tokens took 115.7 s (E2B, 35 layers), 157.4 s (E4B, 42 layers) and
    # 110.2 s (26B on four chips, 30 layers); 18 of 16 to 4,096 tokens about 350 s (E2B) and 355 s (31B on
    # four chips, 60 layers). Loading from memory: E2B 44.6 and 50.5 s, E4B 56.0 s, 12B 54.5 and 56.3 s, 26B
    # 153.5 s, 31B 129.1 s.
    models={
        "per-layer embeddings": ModelRates(layer=0.36, load_bytes_per_second=235e6),
        "experts": ModelRates(layer=0.37, load_bytes_per_second=336e6),
        "dense": ModelRates(layer=0.23, load_bytes_per_second=450e6),
    },
    # With a slower growth the boots with and without 4,096 tokens do not agree. The compile-only client shows
    # a factor of 3 to 4 from 16 to 8,192.
    tokens=2048,
    kinds={
        # One chip: 2.3 s with top-k and top-p, 0.4 s without. Four chips: 2.9 s for 8 requests and 27 s for
        # 16; for more, compiled without a TPU and scaled by these two, 15, 4, 6 and 8 s.
        "sample": Kind(1.4, 5.7),
        # 5.7 s for 8 requests, 5.2 s for 16, 1.4 s for 32, less than half a second from 64 on.
        "structured_decode": _everywhere(3),
        "gather_logprobs": Kind(2.4, 0.4),
        "compute_and_gather_prompt_logprobs": Kind(2.6, 0.7),
        # Compiled on two loaded cores, where sampling took 14 to 209 s: 9-29, 10-24, 4-10, 7-368 and
        # 1-10 s. Halved, or for the random sampler taken as sampling with top-k and top-p.
        "_process_and_extend_logits": _everywhere(10),
        "select_bonus_logits": _everywhere(8),
        "gather_logprobs_spec": _everywhere(4),
        "random_rejection_sampler": _everywhere(27),
        "greedy_rejection_sampler": _everywhere(2),
        # Compiled on two cores in 20 to 28 s; scaled like sampling.
        "mm_encoder_jit": _everywhere(16),
    },
    small=0.2,
    pace=1,
    # E2B on a v5e-1: 857 s cold and 497 s warm, of which 172 s compile nothing, so 0.47. 12B on a v6e-1,
    # whose VM had compiled its programs before: 54.6 s, where 163 s are expected cold, so 0.34.
    warm_share=0.4,
    # 0.0 to 0.2 s for each pass over compiled programs; 2.6 s of the 26B's boot belong to no program.
    warm_up=3,
    # Every boot in the fit is within a factor of 1.3 of the sum of its parts.
    spread=math.sqrt(2),
    # The slowest public boot took 1,701 s, 1.5 times its upper end: E2B on a v5e-1 with pages of 16 tokens.
    margin=1.6,
    where="fitted on public boots",
)

# E2B compiled for 685 s on a v5e-1 with 24 vCPUs, and for 450 s on a v6e-1 with 44.
V5E_RATES = replace(V6E_RATES, pace=1.5)

_TINY = ModelRates(layer=3, load_bytes_per_second=10e6)

STAND_IN_RATES = Rates(
    node=0,
    image=5,
    image_source="assumed",
    image_basis="16 MB from an archive; the packages are mounted",
    # Measured boots of 38 to 95 s are mostly imports.
    server=60,
    images=0,
    read_bytes_per_second=100e6,
    # Measured at tensor parallel 4: 12 whole models of two layers in 69 to 79 s, 64 of them in 618 s on a
    # loaded machine; 45 other programs in 10 s.
    models={"dense": _TINY, "experts": _TINY, "per-layer embeddings": _TINY},
    tokens=4096,
    kinds={},
    small=0.2,
    pace=1,
    # Measured: 20.1 s of compiling cold, 5.7 s with every program in the cache.
    warm_share=0.28,
    warm_up=5,
    # Measured: 38 to 194 s, with up to eleven other processes at work.
    spread=2,
    margin=1.6,
    where="measured on two shared cores",
)


def rates(accelerator: Accelerator) -> Rates:
    """Returns the rates of the slice's host."""
    if accelerator.is_stand_in:
        return STAND_IN_RATES
    return V5E_RATES if accelerator.generation == "v5e" else V6E_RATES


def architecture(model: ModelSpec) -> Architecture:
    """Returns the architecture by which the seconds of `model` are fitted."""
    if model.per_layer_embedding:
        return "per-layer embeddings"
    return "experts" if model.experts else "dense"
