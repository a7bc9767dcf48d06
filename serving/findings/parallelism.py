"""Rules about chips and how the model is divided over them."""

from collections.abc import Iterator

from serving.compilation.candidate import Candidate, Rule
from serving.engine.layers import Change
from serving.hardware.accelerators import OFFERED
from serving.memory.changes import TENSOR_PARALLEL
from serving.memory.problems import too_few_chips
from serving.messages.finding import VERSION, Finding


def chips(candidate: Candidate) -> Iterator[Finding]:
    """Compares the engine's chips with the slice's.

    A server has one process for one mesh of `tensor_parallel_size` devices
    (tpu_inference/worker/tpu_worker.py, `init_device`), so it uses no other chip.
    """
    wanted, slice_ = candidate.engine.tensor_parallel_size, candidate.accelerator
    if wanted > slice_.chips:
        yield too_few_chips(candidate)
    elif wanted < slice_.chips:
        smaller: list[Change] = [{"accelerator": row.name} for row in OFFERED if row.chips == wanted]
        yield candidate.finding(
            "warning",
            "idle-chips",
            "tensor_parallel_size",
            f"{slice_.name} has {slice_.chips} chips, and the others stay idle while they are paid for",
            {TENSOR_PARALLEL: slice_.chips},
            *smaller,
        )


def replicated_kv_heads(candidate: Candidate) -> Iterator[Finding]:
    """Reports KV heads that several chips store (tpu_inference/utils.py, `get_num_kv_heads_by_tp`)."""
    heads, chips = candidate.model.kv_heads_full, candidate.engine.tensor_parallel_size
    if chips > heads:
        yield candidate.finding(
            "note",
            "replicated-kv-heads",
            "tensor_parallel_size",
            f"the full-attention layers of {candidate.model.name} have {heads} KV heads, so each is stored "
            f"{-(-chips // heads)} times",
            otherwise="nothing has to be changed: the numbers of the KV cache include it",
        )


def expert_parallel(candidate: Candidate) -> Iterator[Finding]:
    """Refuses steps that the expert gather kernel does not compile.

    Found by compiling for v6e:2x2 (serving/hardware/accelerators.py, `expert_parallel_tokens`); the kernel is
    tpu_inference/kernels/sparse_core/ragged_gather_v2.py.
    """
    if not candidate.engine.enable_expert_parallel:
        return
    off: Change = {"engine.enable_expert_parallel": None}
    if candidate.model.experts is None:
        yield candidate.finding(
            "note", "no-experts", "enable_expert_parallel", f"{candidate.model.name} has no experts", off
        )
        return
    limit = candidate.accelerator.expert_parallel_tokens
    largest = candidate.runtime.programs.buckets.tokens[-1]
    if limit is not None and largest > limit:
        yield candidate.finding(
            "error",
            "expert-parallel-lowering",
            "enable_expert_parallel",
            f"with {VERSION} the expert gather kernel does not compile for "
            f"{candidate.accelerator.generation} in steps of more than {limit} tokens, and this engine "
            f"compiles {largest:,}",
            off,
            {"engine.max_num_batched_tokens": limit},
        )


RULES: tuple[Rule, ...] = (
    chips,
    replicated_kv_heads,
    expert_parallel,
)
