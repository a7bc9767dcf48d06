"""Rules about chips and how the model is shared out over them."""

from collections.abc import Iterator

from serving.compilation.candidate import Rule, Subject
from serving.messages.finding import VERSION, Finding


def chips(s: Subject) -> Iterator[Finding]:
    asked, have = s.engine.tensor_parallel_size, s.accelerator.chips
    if asked > have:
        yield s.finding(
            "error",
            "too-few-chips",
            "tensor_parallel_size",
            f"{s.accelerator.name} has {have}",
            f"set it to {have}, or take a larger accelerator",
        )
    elif asked < have:
        yield s.finding(
            "warning",
            "idle-chips",
            "tensor_parallel_size",
            f"{s.accelerator.name} has {have} chips, and the others stay idle while they are paid for",
            f"set it to {have}, or take a smaller accelerator",
        )


def replicated_kv_heads(s: Subject) -> Iterator[Finding]:
    heads, chips = s.model.kv_heads_full, s.engine.tensor_parallel_size
    if chips > heads:
        yield s.finding(
            "note",
            "replicated-kv-heads",
            "tensor_parallel_size",
            f"the full-attention layers of {s.model.name} have {heads} KV heads, so each is stored "
            f"{-(-chips // heads)} times",
            "take fewer chips if memory is short",
        )


def expert_parallel(s: Subject) -> Iterator[Finding]:
    if not s.engine.enable_expert_parallel:
        return
    if s.model.experts is None:
        yield s.finding(
            "note",
            "no-experts",
            "enable_expert_parallel",
            f"{s.model.name} has no experts",
            "remove it",
        )
        return
    limit = s.accelerator.expert_parallel_tokens
    largest = s.runtime.programs.buckets.tokens[-1]
    if limit is not None and largest > limit:
        yield s.finding(
            "error",
            "expert-parallel-lowering",
            "enable_expert_parallel",
            f"with {VERSION} the expert gather kernel has no form for {s.accelerator.generation} in steps "
            f"of more than {limit} tokens, and this engine compiles {largest:,}",
            f"remove it, or set max_num_batched_tokens to {limit} or less",
        )


RULES: tuple[Rule, ...] = (
    chips,
    replicated_kv_heads,
    expert_parallel,
)
