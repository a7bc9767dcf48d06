"""HBM that programs need beside weights and KV cache: their code, and the largest buffers at boot and later.

The sizes come from the programs of tpu-inference 0.32.0, compiled for a v6e-4 with libtpu 0.0.48 and without
a TPU: gemma-4-26B-A4B-it in bf16 at tensor parallel 4. For another model or slice they are scaled, and so
less certain. A proof of the same configuration replaces them.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serving.compilation.buckets import Buckets, pairs
from serving.compilation.proof import Calls, Proof
from serving.compilation.resolved_config import Runtime
from serving.engine.config import EngineConfig
from serving.messages.units import MIB
from serving.models.spec import ModelSpec

BF16 = 2
F32 = 4

# MiB that a step needs beside weights and cache, by its tokens: the larger of text and embeddings, at a
# hidden size of 2,816 (proofs of tuned and tuned+batch). A size that is no power of two can need a third
# more.
_STEP = ((16, 37), (256, 44), (512, 77), (1024, 123), (2048, 218), (4096, 391), (8192, 684))
COMPILED_HIDDEN = 2816

# MiB of code of one whole-model program, by the tokens of its step, for 30 layers (the same proofs). With a
# KV cache of 8 bits it is a sixth longer (proofs of peak and turbo-stable).
_CODE = (
    (16, 8.6),
    (32, 10.1),
    (128, 10.7),
    (256, 12.3),
    (512, 14.7),
    (1024, 18.1),
    (2048, 21.3),
    (4096, 24.6),
    (8192, 27.7),
)
NARROW_CODE = 7 / 6
COMPILED_LAYERS = 30

# MiB of code of the other programs by kind, on average over their shapes; other kinds take OTHER_CODE.
_SMALL_CODE: Mapping[str, float] = {
    "sample": 2.75,
    "gather_logprobs": 1,
    "gather_logprobs_spec": 1.5,
    "compute_and_gather_prompt_logprobs": 1,
    "compute_logits": 0.3,
    "structured_decode": 1,
    # The vision tower of 27 layers, for one image.
    "mm_encoder_jit": 114,
    "_process_and_extend_logits": 1.4,
    "select_bonus_logits": 2.5,
    "select_target_logits": 2.5,
    "random_rejection_sampler": 3.3,
    "greedy_rejection_sampler": 0.6,
}
OTHER_CODE = 0.1


@dataclass(frozen=True)
class Temporary:
    """A buffer on each chip, and the engine's field that makes it smaller ("" when none does)."""

    name: str
    bytes: int
    grows_with: str


def compiled(proof: Proof) -> Temporary:
    """Returns the largest need of a proof, with the engine's field with which it grows."""
    largest = proof.largest
    grows_with = "max_num_batched_tokens" if largest.kind.startswith("backbone") else "max_num_seqs"
    name = (
        f"{largest.calls} calls of the boot at once, most for {largest.kind}"
        if isinstance(largest, Calls)
        else f"{largest.kind} ({largest.shape})"
    )
    return Temporary(name, largest.needed_bytes, grows_with)


def code_bytes(model: ModelSpec, runtime: Runtime) -> int:
    """Returns the bytes of code of all programs of a boot on one chip."""
    programs = runtime.programs
    tokens = programs.buckets.tokens
    ladders = programs.backbones / len(tokens)
    backbones = sum(_between(_CODE, size) for size in tokens) * ladders * model.layers / COMPILED_LAYERS
    if runtime.kv_bits == 8:
        backbones *= NARROW_CODE
    counts = dict(programs.by_kind)
    if programs.buckets.logits:
        # One program per logits bucket, which the boot requests again for each request bucket.
        counts["select_target_logits"] = len(programs.buckets.logits)
    small = sum(
        _SMALL_CODE.get(kind, OTHER_CODE) * number
        for kind, number in counts.items()
        if not kind.startswith("backbone")
    )
    return int((backbones + small) * MIB)


def _between(sizes: Sequence[tuple[int, float]], tokens: int) -> float:
    """Returns the value at `tokens`: interpolated over the logarithm of the tokens, proportional beyond
    them."""
    if tokens <= sizes[0][0]:
        return sizes[0][1]
    for (below, low), (above, high) in itertools.pairwise(sizes):
        if tokens <= above:
            return low + (high - low) * math.log2(tokens / below) / math.log2(above / below)
    return sizes[-1][1] * tokens / sizes[-1][0]


def temporaries(model: ModelSpec, engine: EngineConfig, runtime: Runtime) -> tuple[Temporary, ...]:
    """Returns the large buffers, largest first. No two are needed at the same time.

    A buffer includes the logits that its program takes as arguments, because they exist only for it.
    """
    buckets = runtime.programs.buckets
    chips = engine.tensor_parallel_size
    requests = buckets.requests[-1]
    row = model.vocabulary * F32
    step = _between(_STEP, buckets.tokens[-1]) * MIB
    prompt = max((tokens for tokens in buckets.tokens if tokens <= 1024), default=0)
    buffers = [
        Temporary(
            f"a step of {buckets.tokens[-1]:,} tokens",
            int(step * model.hidden / COMPILED_HIDDEN),
            "max_num_batched_tokens",
        ),
        # Compiled: 64 MiB of logits and 128 MiB beside them, for 256 rows on four chips.
        Temporary(f"sampling {requests} rows", 3 * requests * row // chips, "max_num_seqs"),
        # Compiled: 256 MiB of logits and the same beside them, for 1,024 rows on four chips.
        Temporary(f"log-probabilities of {prompt:,} prompt tokens", 2 * prompt * row // chips, ""),
    ]
    if not engine.skip_jax_precompile:
        buffers.append(_structured_warm_up(model, buckets))
    if buckets.logits:
        buffers.append(_drafting(model, engine, buckets))
    return tuple(sorted(buffers, key=lambda temporary: -temporary.bytes))


def _structured_warm_up(model: ModelSpec, buckets: Buckets) -> Temporary:
    """Returns the buffer of the boot's calls of structured decoding.

    The boot holds the arguments of all these programs before it calls the first: bf16 logits, whole on every
    chip. The last program also has its rows in float32.
    """
    held = sum(buckets.requests) * model.vocabulary * BF16
    last = buckets.requests[-1] * model.vocabulary * F32
    return Temporary("the boot's calls of structured decoding", held + last, "max_num_seqs")


def _drafting(model: ModelSpec, engine: EngineConfig, buckets: Buckets) -> Temporary:
    """Returns the buffer of drafting: float32 logits of all rows, whole on every chip, and at boot much more.

    Compiled: `process_and_extend_logits` of 1,024 + 256 rows takes 1,280 MiB of arguments and 3,328 MiB
    beside them, 3.6 times its rows; 256 + 64 rows take the same in proportion.
    """
    rows = buckets.logits[-1] + buckets.requests[-1]
    row = model.vocabulary * F32
    beside = rows * row * 26 // 10
    if engine.skip_jax_precompile:
        return Temporary(f"logits of {rows:,} drafted rows", rows * row + beside, "max_num_seqs")
    held = warm_up_bytes(model.vocabulary, buckets, engine.tensor_parallel_size)
    return Temporary(
        "the boot's calls of the drafting programs, whose logits are all held at once",
        held + beside,
        "max_num_seqs",
    )


def warm_up_bytes(vocabulary: int, buckets: Buckets, chips: int) -> int:
    """Returns the bytes of logits on one chip that the boot holds before it calls the drafting programs.

    `CompilationManager._precompile_speculative_decoding` holds the arguments of every program until one flush
    at its end. For each valid pair of a logits and a request bucket these are a float32 and a bf16 copy of
    both (`_process_and_extend_logits`, `_extend_logits_simple`). For every pair they are a whole bf16 copy
    (`select_bonus_logits`) and one spread over the chips (the rejection samplers).
    """
    together = sum(
        logits * pairs((logits,), buckets.requests) + sum(size for size in buckets.requests if size <= logits)
        for logits in buckets.logits
    )
    combined = len(buckets.requests) * sum(buckets.logits)
    return vocabulary * (together * (F32 + BF16) + combined * BF16) + combined * vocabulary * BF16 // chips
