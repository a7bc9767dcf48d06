"""HBM that programs need beside weights and KV cache: their code, and the largest buffers at boot and later.

The sizes come from the programs of tpu-inference 0.32.0, compiled with libtpu 0.0.48 and without a TPU:
gemma-4-26B-A4B-it for a v6e-4 and gemma-4-E4B-it for a v6e-1, in bf16. For another model or slice they are
scaled, and so less certain. A proof of the same configuration replaces them.

A buffer says when it is live. A program that is compiled and never called has none: the boot compiles the
log-probabilities of prompts with `compile_only` (runner/compilation_manager.py), and the guard refuses the
requests that would call them (agent/server/request_fields.py). Its code stays loaded and counts.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from serving.compilation.buckets import Buckets, pairs
from serving.compilation.proof import Calls, Program, Proof
from serving.compilation.resolved_config import Runtime
from serving.engine.config import EngineConfig
from serving.messages.units import MIB
from serving.models.spec import ModelSpec

BF16 = 2
F32 = 4

NEVER_CALLED = "compute_and_gather_prompt_logprobs"
"""Kind of the programs that are compiled and never called."""
BEFORE_THE_CACHE = "sample"
"""Kind of the boot's calls that end before the KV cache is allocated (tpu_inference/worker/tpu_worker.py,
`initialize_from_config`)."""


@dataclass(frozen=True)
class _WholeModels:
    """Sizes in MiB of the whole-model programs of one compiled model, by the tokens of their step.

    `step` is what a step needs beside weights and cache: the larger of text and embeddings. A size that is no
    power of two can need a third more. `code` is the code of one program.
    """

    hidden: int
    layers: int
    step: tuple[tuple[int, float], ...]
    code: tuple[tuple[int, float], ...]


_PLAIN = _WholeModels(
    # The 26B: proofs of tuned and tuned+batch.
    hidden=2816,
    layers=30,
    step=((16, 37), (256, 44), (512, 77), (1024, 123), (2048, 218), (4096, 391), (8192, 684)),
    code=(
        (16, 8.6),
        (32, 10.1),
        (128, 10.7),
        (256, 12.3),
        (512, 14.7),
        (1024, 18.1),
        (2048, 21.3),
        (4096, 24.6),
        (8192, 27.7),
    ),
)
_PER_LAYER_EMBEDDING = _WholeModels(
    # E4B: proof of baseline.
    hidden=2560,
    layers=42,
    step=((16, 43), (256, 62), (512, 73), (1024, 138), (2048, 251), (4096, 846)),
    code=(
        (16, 13.4),
        (32, 13.4),
        (64, 14.4),
        (128, 16.3),
        (256, 20.8),
        (512, 27.6),
        (1024, 40.2),
        (2048, 52.5),
        (4096, 54.4),
    ),
)

NARROW_CODE = 7 / 6
"""With a KV cache of 8 bits a whole-model program is a sixth longer (proofs of peak and turbo-stable)."""

V5E_CODE_SHARE = 0.4
"""Code of a boot on v5e for each byte on v6e.

Measured once: E2B on a v5e-1 at 0.95 had 459 MiB in use beside weights and KV cache before it loaded its last
program (github.com/xbill9/gemma4-dev, tpu-vllm-v5e1-2b, 2026-08-07-gpu-mem-util-v5e1). 252 MiB of them are
the arguments of structured decoding. The formula has 517 MiB of code for v6e.
"""

_MASK_BYTES: Mapping[str, int] = {"v6e": 4, "v5e": 6}
"""Bytes that structured decoding needs for each logit beside its arguments: compiled for v6e, and measured on
v5e (384.11 MiB for 256 rows, in the log above)."""

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


Live = Literal["while it boots", "while it serves", "from the boot on"]


@dataclass(frozen=True)
class Temporary:
    """A buffer on each chip, when it is live, and the engine's field that makes it smaller."""

    name: str
    bytes: int
    grows_with: Literal["max_num_batched_tokens", "max_num_seqs"]
    live: Live


def compiled(proof: Proof) -> tuple[Temporary, ...]:
    """Returns the needs of a proof in the order in which they are first live: the boot's batches of calls,
    and the largest program."""
    called = [program for program in proof.programs if program.kind != NEVER_CALLED]
    return (
        *(_proven(calls, "while it boots") for calls in proof.calls if calls.kind != BEFORE_THE_CACHE),
        *(_proven(program, "while it serves") for program in _largest(called)),
    )


def _largest(programs: Sequence[Program]) -> Iterator[Program]:
    if programs:
        yield max(programs, key=lambda program: program.needed_bytes)


def _proven(need: Program | Calls, live: Live) -> Temporary:
    name = (
        f"{need.calls} calls of the boot at once, most for {need.kind}"
        if isinstance(need, Calls)
        else f"{need.kind} ({need.shape})"
    )
    grows_with = "max_num_batched_tokens" if need.kind.startswith("backbone") else "max_num_seqs"
    return Temporary(name, need.needed_bytes, grows_with, live)


def _whole_models(model: ModelSpec) -> _WholeModels:
    return _PER_LAYER_EMBEDDING if model.per_layer_embedding else _PLAIN


def code_bytes(model: ModelSpec, runtime: Runtime, generation: str) -> int:
    """Returns the bytes of code of all programs of a boot on one chip of a `generation` of TPU."""
    programs, compiled_model = runtime.programs, _whole_models(model)
    tokens = programs.buckets.tokens
    ladder = sum(_between(compiled_model.code, size) for size in tokens)
    backbones = ladder * programs.backbones / len(tokens) * model.layers / compiled_model.layers
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
    share = V5E_CODE_SHARE if generation == "v5e" else 1
    return int((backbones + small) * share * MIB)


def _between(sizes: Sequence[tuple[int, float]], tokens: int) -> float:
    """Returns the value at `tokens`: interpolated over the logarithm of the tokens, proportional beyond
    them."""
    if tokens <= sizes[0][0]:
        return sizes[0][1]
    for (below, low), (above, high) in itertools.pairwise(sizes):
        if tokens <= above:
            return low + (high - low) * math.log2(tokens / below) / math.log2(above / below)
    return sizes[-1][1] * tokens / sizes[-1][0]


def temporaries(
    model: ModelSpec, engine: EngineConfig, runtime: Runtime, generation: str
) -> tuple[Temporary, ...]:
    """Returns the large buffers, in the order in which they are first live beside the KV cache.

    No two are live at the same time. A buffer includes the logits that its program takes as arguments,
    because they exist only for it.
    """
    buckets = runtime.programs.buckets
    compiled_model = _whole_models(model)
    requests = buckets.requests[-1]
    step = _between(compiled_model.step, buckets.tokens[-1]) * MIB
    buffers = [
        Temporary(
            f"a step of {buckets.tokens[-1]:,} tokens",
            int(step * model.hidden / compiled_model.hidden),
            "max_num_batched_tokens",
            "from the boot on",
        )
    ]
    if not engine.skip_jax_precompile:
        buffers.append(_structured_warm_up(model, buckets, _MASK_BYTES[generation]))
    if buckets.logits:
        buffers.append(_drafting(model, engine, buckets))
    # Compiled: 64 MiB of logits and 128 MiB beside them, for 256 rows on four chips. The boot samples before
    # it allocates the KV cache.
    sampling = 3 * requests * model.vocabulary * F32 // engine.tensor_parallel_size
    buffers.append(Temporary(f"sampling {requests} rows", sampling, "max_num_seqs", "while it serves"))
    return tuple(buffers)


def _structured_warm_up(model: ModelSpec, buckets: Buckets, mask_bytes: int) -> Temporary:
    """Returns the buffer of the boot's calls of structured decoding.

    The boot holds the arguments of all these programs before it calls the first: bf16 logits, whole on every
    chip. The last program has `mask_bytes` for each of its logits beside them.
    """
    held = sum(buckets.requests) * model.vocabulary * BF16
    last = buckets.requests[-1] * model.vocabulary * mask_bytes
    name = "the boot's calls of structured decoding"
    return Temporary(name, held + last, "max_num_seqs", "while it boots")


def _drafting(model: ModelSpec, engine: EngineConfig, buckets: Buckets) -> Temporary:
    """Returns the buffer of drafting: float32 logits of all rows, whole on every chip, and at boot much more.

    Compiled: `process_and_extend_logits` of 1,024 + 256 rows takes 1,280 MiB of arguments and 3,328 MiB
    beside them, 3.6 times its rows; 256 + 64 rows take the same in proportion.
    """
    rows = buckets.logits[-1] + buckets.requests[-1]
    row = model.vocabulary * F32
    beside = rows * row * 26 // 10
    if engine.skip_jax_precompile:
        name = f"logits of {rows:,} drafted rows"
        return Temporary(name, rows * row + beside, "max_num_seqs", "while it serves")
    held = warm_up_bytes(model.vocabulary, buckets, engine.tensor_parallel_size)
    return Temporary(
        "the boot's calls of the drafting programs, whose logits are all held at once",
        held + beside,
        "max_num_seqs",
        "while it boots",
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
