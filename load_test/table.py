"""Table of a load test for the terminal. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

HEADER = (
    *("at once", "prompt", "answer", "requests", "failed"),
    *("first token p50", "p95", "between p50", "p95", "tokens/s", "preempted", "compiled", "baseline"),
)
UNITS = ("", "tokens", "tokens", "", "", "ms", "ms", "ms", "ms", "output", "", "", "first token")


def table(results: Sequence[Mapping[str, Any]], baseline: Mapping[str, Any] | None, max_num_seqs: int) -> str:
    """Returns one line a cell, and notes on what the numbers mean.

    `baseline` is the slice's first accepted measurement, None where there is none.
    """
    rows = [HEADER, UNITS, *(_row(result, baseline) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    lines = ["  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([*(line.rstrip() for line in lines), *_notes(results, max_num_seqs)])


def baseline_cell(result: Mapping[str, Any], baseline: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Returns the baseline's measurement of the same concurrency and lengths."""
    lengths = ("concurrency", "prompt_tokens", "output_tokens")
    for cell in (baseline or {}).get("ladder", []):
        if all(cell[name] == result[name] for name in lengths):
            return cell
    return None


def _row(result: Mapping[str, Any], baseline: Mapping[str, Any] | None) -> tuple[str, ...]:
    compiled = result["compiled"]
    before = (baseline_cell(result, baseline) or {}).get("time_to_first_token_ms")
    return (
        *(f"{result[name]:,}" for name in ("concurrency", "prompt_tokens", "output_tokens", "requests")),
        f"{result['failures']:,}",
        *_pair(result["time_to_first_token_ms"], 0),
        *_pair(result["time_between_tokens_ms"], 1),
        f"{result['output_tokens_per_second']:,.0f}",
        f"{result['preemptions']:,}",
        "-" if compiled is None else f"{compiled:,}",
        "-" if before is None else f"{before['p50']:,.0f}",
    )


def _pair(times: Mapping[str, float] | None, digits: int) -> tuple[str, str]:
    return ("-", "-") if times is None else (f"{times['p50']:,.{digits}f}", f"{times['p95']:,.{digits}f}")


def _notes(results: Sequence[Mapping[str, Any]], max_num_seqs: int) -> list[str]:
    notes = list[str]()
    if any(result["concurrency"] > max_num_seqs for result in results):
        notes.append(
            f"Above {max_num_seqs:,} at once (max_num_seqs), the time to first token is mostly waiting."
        )
    if any(result["compiled"] for result in results):
        notes.append("In cells with compiled programs, requests waited for the compiler: run it again.")
    if any(result["compiled"] is None for result in results):
        notes.append("This server has no sidecar that counts compiled programs.")
    return notes
