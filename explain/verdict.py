"""The verdict on an engine: whether it serves, what limits it, and whether a smaller slice would do."""

from collections.abc import Iterator

from config.selection import Selection
from explain.row import Row
from serving.compilation.candidate import Candidate
from serving.findings import findings
from serving.findings.memory import TYPICAL_TOKENS
from serving.hardware.accelerators import OFFERED, Accelerator
from serving.memory.budget import budget
from serving.memory.changes import TENSOR_PARALLEL
from serving.memory.terms import Memory
from serving.messages.units import gib

SECTION = "verdict"

_SHORT_OF = {
    "too-few-chips": "chips",
    "weights-do-not-fit": "HBM for the weights",
    "pages-beyond-memory": "HBM for the KV cache",
    "kv-cache-too-small": "HBM for the KV cache",
    "programs-do-not-fit": "HBM for programs and their buffers",
}
"""The resource that is short, by the code of the problem."""


def rows(selection: Selection) -> Iterator[Row]:
    """Yields the verdict first, then the resource that limits the engine and a smaller slice."""
    try:
        memory = budget(selection.proved)
    except ValueError as reason:
        yield Row(SECTION, "serves", None, f"no verdict: {reason}")
        return
    yield _serves(selection, memory)
    yield from _limit(selection, memory)
    if memory.fits:
        yield from _smaller_slice(selection.candidate, memory)


def _serves(selection: Selection, memory: Memory) -> Row:
    errors = [finding for finding in selection.findings if finding.severity == "error"]
    if errors:
        more = f", and {len(errors) - 1} more below" if len(errors) > 1 else ""
        return Row(SECTION, "serves", False, f"does not serve: {errors[0].asked}: {errors[0].truth}{more}")
    if not memory.modeled:
        text = "not modeled: vLLM's PyTorch code runs this model, and nothing is known about whether it fits"
        return Row(SECTION, "serves", None, text)
    left = f"fits, with {gib(memory.left_bytes)} of each chip left"
    return Row(SECTION, "serves", True, left, memory.basis)


def _limit(selection: Selection, memory: Memory) -> Iterator[Row]:
    if memory.problem is not None:
        short = _SHORT_OF.get(memory.problem.code)
        if short:
            yield Row(SECTION, "limited by", short, short)
        return
    slots, length = selection.candidate.engine.max_num_seqs, _length(selection.candidate)
    held = memory.pool.resident_requests(length)
    if held < slots:
        text = f"the KV cache, which holds {held:,} requests of {length:,} tokens for {slots:,} slots"
        yield Row(SECTION, "limited by", "KV cache", text)
    else:
        text = (
            f"max_num_seqs, {slots:,} slots where the KV cache holds {held:,} requests of {length:,} tokens"
        )
        yield Row(SECTION, "limited by", "max_num_seqs", text)


def _length(candidate: Candidate) -> int:
    return min(TYPICAL_TOKENS, candidate.engine.max_model_len)


def _smaller_slice(candidate: Candidate, memory: Memory) -> Iterator[Row]:
    here = candidate.accelerator
    smaller = [row for row in OFFERED if row.chips < here.chips and not here.is_stand_in]
    if not smaller:
        return
    for slice_ in smaller:
        on_it = _memory_on(candidate, slice_)
        if on_it is not None:
            length = _length(candidate)
            held, instead = (each.pool.resident_requests(length) for each in (on_it, memory))
            text = (
                f"{slice_.name} would do: {gib(on_it.left_bytes)} of each chip left, and {held:,} requests "
                f"of {length:,} tokens in the KV cache instead of {instead:,}"
            )
            yield Row(SECTION, "smaller slice", slice_.name, text, on_it.basis)
            return
    yield Row(SECTION, "smaller slice", None, "none would do")


def _memory_on(candidate: Candidate, slice_: Accelerator) -> Memory | None:
    """Returns the terms on a whole slice; None if the engine does not fit it or has errors there."""
    try:
        moved = candidate.after({"accelerator": slice_.name, TENSOR_PARALLEL: slice_.chips})
        memory = budget(moved)
    except ValueError:
        return None
    refused = any(finding.severity == "error" for finding in findings(moved))
    return memory if memory.fits and not refused else None
