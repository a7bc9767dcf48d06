"""Rules about chips and how the model is shared out over them."""

from collections.abc import Iterator

from serving.compilation.candidate import Candidate, Rule
from serving.messages.finding import VERSION, Finding


def chips(candidate: Candidate) -> Iterator[Finding]:
    asked, have = candidate.engine.tensor_parallel_size, candidate.accelerator.chips
    if asked > have:
        yield candidate.finding(
            "error",
            "too-few-chips",
            "tensor_parallel_size",
            f"{candidate.accelerator.name} has {have}",
            f"set it to {have}, or take a larger accelerator",
        )
    elif asked < have:
        yield candidate.finding(
            "warning",
            "idle-chips",
            "tensor_parallel_size",
            f"{candidate.accelerator.name} has {have} chips, and the others stay idle while they are paid "
            f"for",
            f"set it to {have}, or take a smaller accelerator",
        )


def replicated_kv_heads(candidate: Candidate) -> Iterator[Finding]:
    heads, chips = candidate.model.kv_heads_full, candidate.engine.tensor_parallel_size
    if chips > heads:
        yield candidate.finding(
            "note",
            "replicated-kv-heads",
            "tensor_parallel_size",
            f"the full-attention layers of {candidate.model.name} have {heads} KV heads, so each is stored "
            f"{-(-chips // heads)} times",
            "take fewer chips if memory is short",
        )


def expert_parallel(candidate: Candidate) -> Iterator[Finding]:
    if not candidate.engine.enable_expert_parallel:
        return
    if candidate.model.experts is None:
        yield candidate.finding(
            "note",
            "no-experts",
            "enable_expert_parallel",
            f"{candidate.model.name} has no experts",
            "remove it",
        )
        return
    limit = candidate.accelerator.expert_parallel_tokens
    largest = candidate.runtime.programs.buckets.tokens[-1]
    if limit is not None and largest > limit:
        yield candidate.finding(
            "error",
            "expert-parallel-lowering",
            "enable_expert_parallel",
            f"with {VERSION} the expert gather kernel has no form for "
            f"{candidate.accelerator.generation} in steps "
            f"of more than {limit} tokens, and this engine compiles {largest:,}",
            f"remove it, or set max_num_batched_tokens to {limit} or less",
        )


RULES: tuple[Rule, ...] = (
    chips,
    replicated_kv_heads,
    expert_parallel,
)
