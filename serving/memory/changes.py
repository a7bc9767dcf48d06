"""Changes of an engine, its slice or its model after which it fits in HBM.

Each function yields changes that were tried with the memory model, so that a message advises what works.
"""

import bisect
import math
from collections.abc import Iterator, Sequence
from typing import Literal

from serving.compilation.candidate import Candidate
from serving.engine.layers import Change
from serving.hardware.accelerators import OFFERED
from serving.memory.terms import Memory, terms
from serving.models.catalog import MODELS

Defect = Literal[
    "too-few-chips",
    "weights-do-not-fit",
    "pages-beyond-memory",
    "kv-cache-too-small",
    "programs-do-not-fit",
]

TENSOR_PARALLEL = "engine.tensor_parallel_size"
SHARE = "engine.gpu_memory_utilization"
PAGES = "engine.num_gpu_blocks_override"
LENGTH = "engine.max_model_len"


def defect(memory: Memory, candidate: Candidate) -> Defect | None:
    """Returns the first reason why an engine with these terms cannot serve, in the order of a boot.

    None also where nothing is modeled.
    """
    if memory.chips > candidate.accelerator.chips:
        return "too-few-chips"
    if not memory.modeled:
        return None
    if memory.resident_bytes >= memory.cap_bytes:
        return "weights-do-not-fit"
    pages = candidate.engine.num_gpu_blocks_override
    if pages is not None and memory.resident_bytes + memory.kv_bytes > memory.cap_bytes:
        return "pages-beyond-memory"
    if not memory.pool.serves_one:
        return "kv-cache-too-small"
    return "programs-do-not-fit" if memory.left_bytes < 0 else None


def fits(candidate: Candidate) -> bool:
    """Returns whether an engine is known to fit its slice."""
    try:
        memory = terms(candidate)
    except ValueError:
        return False
    return memory.modeled and defect(memory, candidate) is None


def smaller_share(candidate: Candidate, left_bytes: int = 0) -> Iterator[Change]:
    """Yields the largest lower share of HBM, in percent, that leaves `left_bytes` of each chip."""

    def at(percent: int) -> Candidate:
        return candidate.with_fields(gpu_memory_utilization=percent / 100)

    percents = range(math.ceil(100 * candidate.engine.gpu_memory_utilization) - 1, 0, -1)
    # A smaller share has fewer pages, so it leaves no less to the programs and serves no longer request.
    index = bisect.bisect_left(
        percents, True, key=lambda percent: terms(at(percent)).left_bytes >= left_bytes
    )
    if index < len(percents) and fits(at(percents[index])):
        yield {SHARE: percents[index] / 100}


def larger_share(candidate: Candidate) -> Iterator[Change]:
    """Yields the smallest higher share of HBM, in percent, at which the engine fits."""
    for percent in range(math.floor(100 * candidate.engine.gpu_memory_utilization) + 1, 101):
        if fits(candidate.with_fields(gpu_memory_utilization=percent / 100)):
            yield {SHARE: percent / 100}
            return


def fewer_pages(candidate: Candidate, memory: Memory, missing_bytes: int) -> Iterator[Change]:
    """Yields the number of KV pages that frees `missing_bytes` of each chip."""
    pages = memory.pool.pages - math.ceil(missing_bytes * memory.chips / memory.pool.page_bytes)
    if pages > 0 and fits(candidate.with_fields(num_gpu_blocks_override=pages)):
        yield {PAGES: pages}


def halved(candidate: Candidate, field: str) -> Iterator[Change]:
    """Yields the first half, quarter and so on of a field's value with which the engine fits."""
    value: int = getattr(candidate.engine, field) // 2
    while value and not fits(candidate.after({f"engine.{field}": value})):
        value //= 2
    if value:
        yield {f"engine.{field}": value}


def more_chips(candidate: Candidate) -> Iterator[Change]:
    """Yields all chips of the slice, or the smallest larger slice whole; whichever fits first."""
    here = candidate.accelerator
    changes: list[Change] = [{TENSOR_PARALLEL: here.chips}] if not here.is_stand_in else []
    changes += [
        {"accelerator": row.name, TENSOR_PARALLEL: row.chips}
        for row in OFFERED
        if not here.is_stand_in and row.hbm_bytes > here.hbm_bytes
    ]
    yield from _first(candidate, changes)


def smaller_model(candidate: Candidate) -> Iterator[Change]:
    """Yields the largest model that fits in place of this one, with requests as long as it allows."""
    length = candidate.engine.max_model_len
    changes: list[Change] = [
        {"model": row.name} | ({LENGTH: row.max_context} if row.max_context < length else {})
        for row in sorted(MODELS.values(), key=lambda row: -row.weight_bytes)
        if row.weight_bytes < candidate.model.weight_bytes
    ]
    yield from _first(candidate, changes)


def without_great_loss(candidate: Candidate, possible: Sequence[Change]) -> list[Change]:
    """Returns the changes without those after which the KV cache holds less than half of what it holds after
    another of them."""
    tokens = [terms(candidate.after(change)).pool.tokens for change in possible]
    return [change for change, held in zip(possible, tokens, strict=True) if 2 * held >= max(tokens)]


def _first(candidate: Candidate, changes: list[Change]) -> Iterator[Change]:
    yield from [change for change in changes if fits(candidate.after(change))][:1]
