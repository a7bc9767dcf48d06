"""Reasons why an engine does not fit a slice, and the changes that make it fit."""

from serving.compilation.candidate import Candidate
from serving.engine.layers import Change
from serving.hardware.accelerators import OFFERED
from serving.hardware.host_resources import server_bytes
from serving.memory import changes
from serving.memory.terms import Memory
from serving.messages.finding import Finding
from serving.messages.units import GIB, gib
from serving.models.catalog import MODELS

NOTHING_FITS = "begin again with the values of a phase, because no single change makes this engine fit"


def first_problem(memory: Memory, candidate: Candidate) -> Finding | None:
    """Returns the first problem of these terms, in the order in which a boot would meet them."""
    match changes.defect(memory, candidate):
        case "too-few-chips":
            return too_few_chips(candidate)
        case "weights-do-not-fit":
            return _weights(memory, candidate)
        case "pages-beyond-memory":
            return _pages(memory, candidate)
        case "kv-cache-too-small":
            return _kv_cache(memory, candidate)
        case "programs-do-not-fit":
            return _programs(memory, candidate)
        case None:
            return None


def too_few_chips(candidate: Candidate) -> Finding:
    """Returns the finding about an engine that wants more chips than its slice has."""
    slice_, wanted = candidate.accelerator, candidate.engine.tensor_parallel_size
    larger = [row for row in OFFERED if row.chips >= wanted]
    possible: list[Change] = [{changes.TENSOR_PARALLEL: slice_.chips}]
    if larger and not slice_.is_stand_in:
        row = larger[0]
        more: Change = {} if row.chips == wanted else {changes.TENSOR_PARALLEL: row.chips}
        possible.append({"accelerator": row.name, **more})
    return _error(
        candidate,
        "too-few-chips",
        "tensor_parallel_size",
        f"{slice_.name} has {slice_.chips}",
        possible,
    )


def _weights(memory: Memory, candidate: Candidate) -> Finding:
    return _error(
        candidate,
        "weights-do-not-fit",
        "gpu_memory_utilization",
        f"the weights of {candidate.model.name} take {gib(memory.resident_bytes)} of each chip, and that "
        f"share of its HBM is {gib(memory.cap_bytes)}",
        [
            *changes.larger_share(candidate),
            *changes.more_chips(candidate),
        ]
        or [*changes.smaller_model(candidate)],
    )


def _pages(memory: Memory, candidate: Candidate) -> Finding:
    room = (memory.cap_bytes - memory.resident_bytes) * memory.chips // memory.pool.page_bytes
    return _error(
        candidate,
        "pages-beyond-memory",
        "num_gpu_blocks_override",
        f"gpu_memory_utilization leaves room for {room:,} pages",
        [{changes.PAGES: room}, {changes.PAGES: None}],
    )


def _kv_cache(memory: Memory, candidate: Candidate) -> Finding:
    pool = memory.pool
    longest = max(0, pool.pages - 1) * pool.block_size
    shorter: list[Change] = [{changes.LENGTH: longest}] if longest else []
    if longest and not changes.fits(candidate.with_fields(max_model_len=longest)):
        # Shorter requests may get larger pages, of which fewer are left.
        shorter = [*changes.halved(candidate, "max_model_len")]
    pinned: list[Change] = [{changes.PAGES: None}] if candidate.engine.num_gpu_blocks_override else []
    return _error(
        candidate,
        "kv-cache-too-small",
        "max_model_len",
        f"the KV cache holds {pool.pages:,} pages of {pool.block_size}, one of them kept back, and a request "
        f"of that length needs {pool.pages_per_request:,}",
        [*shorter, *pinned, *changes.larger_share(candidate), *changes.more_chips(candidate)],
    )


def _programs(memory: Memory, candidate: Candidate) -> Finding:
    room = memory.free_bytes - memory.code_bytes
    beyond = [temporary for temporary in memory.temporaries if temporary.bytes > room]
    buffer = beyond[0]
    # The override fixes the pages whatever the share: a smaller share would free nothing.
    pinned = candidate.engine.num_gpu_blocks_override is not None
    fewer = (
        changes.fewer_pages(candidate, memory, -memory.left_bytes)
        if pinned
        else changes.smaller_share(candidate)
    )
    fields = dict.fromkeys(temporary.grows_with for temporary in beyond)
    smaller = [change for field in fields for change in changes.halved(candidate, field)]
    return _error(
        candidate,
        "programs-do-not-fit",
        "num_gpu_blocks_override" if pinned else "gpu_memory_utilization",
        f"weights and KV cache leave {gib(memory.free_bytes)} of each chip, and {buffer.name} "
        f"({gib(buffer.bytes)}, live {buffer.live}) with {gib(memory.code_bytes)} of programs need "
        f"{gib(buffer.bytes - room)} more",
        [*changes.without_great_loss(candidate, [*fewer, *smaller]), *changes.more_chips(candidate)],
    )


def _error(candidate: Candidate, code: str, field: str, truth: str, possible: list[Change]) -> Finding:
    fitting = [change for change in possible if changes.fits(candidate.after(change))]
    otherwise = "" if fitting else NOTHING_FITS
    return candidate.finding("error", code, field, truth, *fitting, otherwise=otherwise)


def host_problem(candidate: Candidate) -> Finding | None:
    """Returns why the host's memory is too small for what a server asks for; None when it is enough, or when
    no source states it.

    A server asks for more than it was seen to use: E2B boots on a v5e-1, whose host has 48 GiB. So only
    slices that a stack can order are judged.
    """
    slice_ = candidate.accelerator
    available = slice_.host_memory_bytes if slice_.offered else None
    total = server_bytes(candidate.model.weight_bytes)
    if available is None or total <= available:
        return None
    slices: list[Change] = [
        {"accelerator": row.name, changes.TENSOR_PARALLEL: row.chips}
        for row in sorted(OFFERED, key=lambda row: row.host_memory_bytes or 0)
        if (row.host_memory_bytes or 0) >= total
    ]
    models: list[Change] = [
        {"model": row.name}
        for row in sorted(MODELS.values(), key=lambda row: -row.weight_bytes)
        if server_bytes(row.weight_bytes) <= available
    ]
    fitting = [change for change in (*slices, *models) if changes.fits(candidate.after(change))][:1]
    size, machine = candidate.model.weight_bytes / 1e9, candidate.accelerator.name
    return Finding(
        severity="error",
        code="host-memory-too-small",
        field="accelerator",
        asked=f"{candidate.model.name} is served on {machine}",
        truth=f"loading its {size:.1f} GB of weights takes {total / GIB:.0f} GiB of host memory, and the "
        f"machine has {available / GIB:.0f}",
        change=candidate.layers.advice(fitting, "" if fitting else NOTHING_FITS),
        changes=tuple(fitting),
    )
