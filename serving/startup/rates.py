"""Seconds and bytes per second of one kind of host, each with its source.

The rates for v6e were measured by others on one v6e-4 booting gemma-4-26B-A4B-it in bf16 (log of 2026-09-26
in github.com/xbill9/gemma4-dev, vLLM 0.29.1rc1), or come from compiling the programs of 0.32.0 without a
TPU; those of the local stand-in were measured on two cores.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from serving.hardware.host_resources import IMAGE_BYTES

MIN_BUDGET_SECONDS = 600
"""Least budget of a start, in seconds: on a loaded machine even the tiny model took 160 s. The policies
refuse a startup probe that allows less."""

Source = Literal["measured", "compiled", "computed", "assumed"]


@dataclass(frozen=True)
class Rates:
    """Seconds of one kind of host.

    `backbone_layer` is for one layer at few tokens. `kinds` are programs that take longer than `small`, on
    average over their shapes.
    """

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

V6E_RATES = Rates(
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
    # Log: 51.6 GB from memory took 153 s, with the new layout of the experts.
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

STAND_IN_RATES = Rates(
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
