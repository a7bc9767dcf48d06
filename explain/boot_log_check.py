"""Comparison of predictions with a boot log, line by line."""

from collections.abc import Iterator
from dataclasses import dataclass

from explain.boot_log import BootLog
from serving.compilation.candidate import Candidate
from serving.memory.budget import budget
from serving.memory.terms import Memory
from serving.messages.units import GIB
from serving.startup.cold_start import estimate


@dataclass(frozen=True)
class Line:
    """One comparison, as text. `agrees` is None for a time, which depends on the host; `note` explains a
    difference."""

    name: str
    predicted: str
    measured: str
    agrees: bool | None
    note: str = ""


def compare(log: BootLog, candidate: Candidate) -> tuple[Line, ...]:
    """Returns everything that the log measured and this package predicts, for the engine that was booted.

    Raises ValueError when the engine cannot be predicted at all.
    """
    memory = budget(candidate)
    return (_verdict(log, memory), *_shapes(log, candidate), *_memory(log, memory), *_times(log, candidate))


def disagreements(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """Returns the lines whose values disagree."""
    return tuple(line for line in lines if line.agrees is False)


def render(lines: tuple[Line, ...]) -> str:
    """Returns the lines as a table."""
    rows = [("", "predicted", "measured", "")]
    marks = {True: "agrees", False: "DIFFERS", None: ""}
    rows += [
        (line.name, line.predicted, line.measured, f"{marks[line.agrees]} {line.note}".strip())
        for line in lines
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip((*row[:3],), widths, strict=True)).rstrip()
        + (f"  {row[3]}" if row[3] else "")
        for row in rows
    )


def _exact(name: str, predicted: object, measured: object, note: str = "") -> Line:
    agrees = predicted == measured
    return Line(name, _show(predicted), _show(measured), agrees, "" if agrees else note)


def _show(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(str(item) for item in value) or "none"  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return f"{value:,}" if isinstance(value, int) else str(value)


def _verdict(log: BootLog, memory: Memory) -> Line:
    """Returns the line on the boot as a whole. A log that only ends early contradicts no prediction."""
    predicted = {True: "serves", False: "does not fit", None: "not modeled"}[memory.fits]
    note = memory.problem.truth if memory.problem else ""
    if log.ready:
        return Line("boot", predicted, "serves", memory.fits, note if memory.fits is False else "")
    if log.crash is None:
        return Line("boot", predicted, "unfinished", None, "the log ends before the server was ready")
    agrees = None if memory.fits is None else not memory.fits
    return Line("boot", predicted, "crashed", agrees, log.crash)


def _shapes(log: BootLog, candidate: Candidate) -> Iterator[Line]:
    programs = candidate.runtime.programs
    yield _exact("token buckets", programs.buckets.tokens, log.tokens)
    yield _exact("request buckets", programs.buckets.requests, log.requests)
    yield _exact("attention buckets", programs.buckets.attention, log.attention)
    yield _exact("logits buckets", programs.buckets.logits, log.logits)
    for kind in dict.fromkeys([*programs.by_kind, *log.programs]):
        yield _exact(f"programs: {kind}", programs.by_kind.get(kind, 0), log.programs.get(kind, 0))
    yield _exact("programs", programs.total, sum(log.programs.values()))


def _memory(log: BootLog, memory: Memory) -> Iterator[Line]:
    if log.limit_gib is not None:
        limit = memory.hbm_bytes * memory.chips / GIB
        # Two decimals of the sum over the chips; the table has two decimals of one chip.
        yield Line(
            "HBM GiB",
            f"{limit:.2f}",
            f"{log.limit_gib:.2f}",
            abs(limit - log.limit_gib) < 0.01 * memory.chips,
        )
    if log.resident_gib is not None:
        resident = memory.resident_bytes / GIB
        yield Line(
            "weights GiB a chip",
            f"{resident:.2f}",
            f"{log.resident_gib:.2f}",
            abs(resident - log.resident_gib) < 0.01,
        )
    if log.block_size is not None:
        yield _exact("block size", memory.pool.block_size, log.block_size)
    if log.pages is not None:
        yield _pages("KV pages", memory.pool.pages, log.pages, memory)
    if log.kv_tokens is not None:
        yield _pages("KV tokens", memory.pool.tokens, log.kv_tokens, memory)


def _pages(name: str, predicted: int, measured: int, memory: Memory) -> Line:
    """Returns a line that agrees if the values differ by no more than the rounding of HBM and weights in the
    log."""
    unit = 1 if name == "KV pages" else memory.pool.block_size
    slack = 2 + int(0.01 * GIB * memory.chips / memory.pool.page_bytes)
    apart = abs(predicted - measured) / unit
    if predicted == measured or apart > slack:
        return _exact(name, predicted, measured)
    note = f"within the {slack} pages that two decimals of a GiB hide"
    return Line(name, f"{predicted:,}", f"{measured:,}", True, note)


def _times(log: BootLog, candidate: Candidate) -> Iterator[Line]:
    start = estimate(candidate)
    parts = {part.name: part for part in start.parts}
    measured = {
        "weights": log.weights_seconds,
        "compile": log.engine_seconds,
    }
    for name, seconds in measured.items():
        if seconds is not None:
            part = parts[name]
            cold, warm = start.range(part.cold_seconds), start.range(part.warm_seconds)
            yield Line(
                f"{name} s",
                f"{cold.low:.0f}-{cold.high:.0f} cold, {warm.low:.0f}-{warm.high:.0f} warm",
                f"{seconds:.0f}",
                None,
                part.basis,
            )
