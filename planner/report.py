"""Table of a simulation for the terminal. Pure. Every table says that nothing in it was measured."""

from collections.abc import Mapping, Sequence
from typing import Any

from planner.answer import KNEE, knees

HEADER = (
    *("at once", "prompt", "answer", "first token p50", "p95", "p99", "between p50", "p95", "p99"),
    *("whole p50", "p99", "tokens/s", "waiting", "preempted", "KV", "limited by"),
)
UNITS = ("", "tokens", "tokens", *["ms"] * 8, "output", "mean", "", "most", "")


def table(title: str, results: Sequence[Mapping[str, Any]]) -> str:
    """Returns one line a cell, the knees, and how far the numbers can be off."""
    rows = [HEADER, UNITS, *(_row(each) for each in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    lines = ["  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([f"{title}: simulated, not measured", "", *lines, "", *_notes(results)])


def _row(each: Mapping[str, Any]) -> tuple[str, ...]:
    rate = f"{each['rate']:g}/s" if each["rate"] else "trace"
    start = f"{each['concurrency']:,}" if each["concurrency"] else rate
    limit = each["limited_by"]
    return (
        *(start, f"{each['prompt_tokens']:,}", f"{each['output_tokens']:,}"),
        *_times(each["time_to_first_token_ms"], ("p50", "p95", "p99"), 0),
        *_times(each["time_between_tokens_ms"], ("p50", "p95", "p99"), 1),
        *_times(each["whole_request_ms"], ("p50", "p99"), 0),
        *(f"{each['output_tokens_per_second']:,.0f}", f"{each['waiting']['mean']:,.0f}"),
        *(f"{each['preemptions']:,}", f"{each['kv_cache_share']['most']:.0%}"),
        f"{limit} {each['time_shares'][limit]:.0%}",
    )


def _times(times: Mapping[str, float] | None, shares: Sequence[str], digits: int) -> list[str]:
    return ["-" if times is None else f"{times[share]:,.{digits}f}" for share in shares]


def _notes(results: Sequence[Mapping[str, Any]]) -> list[str]:
    notes = [
        f"With prompts of {tokens:,} tokens, {concurrency:,} at once reach {KNEE:.0%} of the highest "
        "throughput."
        for tokens, concurrency in knees(results).items()
    ]
    return [*notes, errors(results[0]["band"], results[0]["basis"])]


def errors(band: Mapping[str, float], basis: str) -> str:
    """Returns the sentence on how far the medians can be off."""
    shares = ", ".join(f"{name} by {share:.0%}" for name, share in band.items())
    return f"The medians can be off: {shares} ({basis})."
