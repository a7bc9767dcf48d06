"""HBM that programs need beside weights and KV cache: their code, and the largest buffers while one runs.

The sizes come from compiling the programs of tpu-inference 0.32.0 for a v6e-4 with libtpu 0.0.48's own
compiler, without a TPU: gemma-4-26B-A4B-it in bf16 at tensor parallel 4 (docs/claims.md). For another model
or slice they are scaled, and so less certain; a proof compiled for the very configuration replaces them.
"""

import itertools
import math
from dataclasses import dataclass

from serving.engine import EngineConfig
from serving.models import ModelSpec
from serving.runtime import Runtime

MIB = 2**20
F32 = 4

# What a step holds beyond its arguments, at most: 14 MiB at 16 tokens, 25 at 256, 138 at 2,048, 276 at
# 4,096, 553 at 8,192 for a hidden size of 2,816. Linear from 2,048 on, a floor below.
STEP_BYTES_PER_TOKEN = 276 * MIB / 4096
STEP_FLOOR_BYTES = 14 * MIB
COMPILED_HIDDEN = 2816

# Code of one whole-model program by the tokens of its step, MiB, for 30 layers.
_CODE = ((16, 8), (256, 12), (2048, 21), (4096, 24), (8192, 30))
COMPILED_LAYERS = 30
# 96 programs took 212 MiB, nine of them whole models with 126 MiB: 86 MiB for the 87 others.
SMALL_PROGRAM_BYTES = 1 * MIB

# `process_and_extend_logits` holds replicated float32 rows of the whole vocabulary: 4.5 GiB where the rows
# are 1,024 + 256, 1.125 GiB where they are 256 + 64: 3.6 times the rows themselves in both.
EXTEND_LOGITS_COPIES = 3.6
# Sampling 256 rows takes 0.13 GiB a chip: the shard of the logits twice.
SAMPLING_COPIES = 2


@dataclass(frozen=True)
class Temporary:
    """A buffer that some program needs for itself on each chip, and what would make it smaller."""

    name: str
    bytes: int
    grows_with: str


def code_bytes(model: ModelSpec, runtime: Runtime) -> int:
    """Code of all programs of a boot on one chip."""
    programs = runtime.programs
    ladder = sum(_backbone_code(tokens) for tokens in programs.buckets.tokens)
    ladders = programs.backbones / len(programs.buckets.tokens)
    backbones = ladder * ladders * MIB * model.layers / COMPILED_LAYERS
    return int(backbones) + (programs.total - programs.backbones) * SMALL_PROGRAM_BYTES


def _backbone_code(tokens: int) -> float:
    """MiB of one whole-model program, between the compiled sizes in the logarithm of the tokens."""
    if tokens <= _CODE[0][0]:
        return _CODE[0][1]
    for (below, low), (above, high) in itertools.pairwise(_CODE):
        if tokens <= above:
            return low + (high - low) * math.log2(tokens / below) / math.log2(above / below)
    return _CODE[-1][1] * tokens / _CODE[-1][0]


def temporaries(model: ModelSpec, engine: EngineConfig, runtime: Runtime) -> tuple[Temporary, ...]:
    """The large buffers, largest first. They are never needed at the same time."""
    buckets = runtime.programs.buckets
    chips = engine.tensor_parallel_size
    row = model.vocabulary * F32
    step = max(STEP_FLOOR_BYTES, STEP_BYTES_PER_TOKEN * buckets.tokens[-1])
    found = [
        Temporary(
            f"a step of {buckets.tokens[-1]:,} tokens",
            int(step * model.hidden / COMPILED_HIDDEN),
            "max_num_batched_tokens",
        ),
        Temporary(
            f"sampling {buckets.requests[-1]} rows",
            SAMPLING_COPIES * buckets.requests[-1] * row // chips,
            "max_num_seqs",
        ),
    ]
    prompt_rows = max((tokens for tokens in buckets.tokens if tokens <= 1024), default=0)
    if prompt_rows:
        found.append(
            Temporary(f"log-probabilities of {prompt_rows:,} prompt tokens", prompt_rows * row // chips, "")
        )
    if buckets.logits:
        rows = buckets.logits[-1] + buckets.requests[-1]
        found.append(
            Temporary(
                f"logits of {rows:,} speculative rows, whole on every chip",
                int(EXTEND_LOGITS_COPIES * rows * row),
                "max_num_seqs",
            )
        )
    return tuple(sorted(found, key=lambda temporary: -temporary.bytes))
