"""The answer of a simulation: percentiles, throughput, queue, preemptions, limiting resource, knee. Pure.

A result has the fields of a load test's cell (agent/load_test/cell.py), with the state `simulated`, so that
charts and comparisons take both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from config.traffic.load import Load
from planner.clock import Trace
from planner.constants import Fitted

SHARES = (50, 95, 99)
RESOURCES = ("arithmetic", "HBM", "links", "host")
KNEE = 0.9
"""Share of the highest throughput at which a ladder bends: beyond it, requests mostly wait longer."""


def result(load: Load, trace: Trace, fitted: Fitted) -> dict[str, Any]:
    """Returns the answer of one load as JSON. Times are milliseconds."""
    requests = trace.requests.values()
    first = [1000 * (times.first - times.sent) for times in requests if times.first is not None]
    between = [
        1000 * (times.last - times.first) / (times.answer - 1)
        for times in requests
        if times.last is not None and times.first is not None and times.answer > 1
    ]
    whole = [1000 * (times.last - times.sent) for times in requests if times.last is not None]
    tokens = sum(times.answer for times in requests)
    return {
        "cell": name(load),
        "state": "simulated",
        "concurrency": load.concurrency,
        "rate": load.rate,
        "prompt_tokens": load.prompt.median,
        "output_tokens": load.answer.median,
        "requests": load.requests,
        "failures": 0,
        "seconds": trace.seconds,
        "output_tokens_per_second": tokens / trace.seconds,
        "requests_per_second": load.requests / trace.seconds,
        "time_to_first_token_ms": percentiles(first),
        "time_between_tokens_ms": percentiles(between) if between else None,
        "whole_request_ms": percentiles(whole),
        "band": asdict(fitted.band),
        "basis": fitted.basis,
        "preemptions": trace.preemptions,
        **_steps(trace),
    }


def name(load: Load) -> str:
    """Returns the name of a load's cell, that of the load test for fixed lengths."""
    start = f"c{load.concurrency}" if load.concurrency else f"r{load.rate:g}" if load.rate else "trace"
    return f"{start}-p{load.prompt.median}-o{load.answer.median}"


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Returns p50, p95 and p99, linear between values as NumPy computes them."""
    ordered = sorted(values)
    shares: dict[str, float] = {}
    for share in SHARES:
        place = share / 100 * (len(ordered) - 1)
        below = int(place)
        above = min(below + 1, len(ordered) - 1)
        shares[f"p{share}"] = ordered[below] + (place - below) * (ordered[above] - ordered[below])
    return shares


def _steps(trace: Trace) -> dict[str, Any]:
    steps = trace.steps
    busy = sum(step.time.total for step in steps)
    parts = zip(
        RESOURCES,
        (
            sum(step.time.arithmetic for step in steps),
            sum(step.time.hbm for step in steps),
            sum(step.time.links for step in steps),
            sum(step.time.host for step in steps),
        ),
        strict=True,
    )
    shares = {resource: seconds / busy for resource, seconds in parts}
    return {
        "steps": len(steps),
        "time_shares": shares,
        "limited_by": max(shares, key=lambda resource: shares[resource]),
        "requests_in_a_step": _mean(steps, [step.requests for step in steps]),
        "waiting": {
            "mean": _mean(steps, [step.waiting for step in steps]),
            "most": max(step.waiting for step in steps),
        },
        "kv_cache_share": {
            "mean": _mean(steps, [step.cached_share for step in steps]),
            "most": max(step.cached_share for step in steps),
        },
    }


def _mean(steps: Sequence[Any], values: Sequence[float]) -> float:
    """Returns the mean over time: each step counts as long as it takes."""
    total = sum(step.time.total for step in steps)
    return sum(value * step.time.total for value, step in zip(values, steps, strict=True)) / total


def knees(results: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """Returns prompt tokens -> the smallest concurrency with KNEE of the highest throughput.

    Prompts with fewer than three concurrencies have no knee.
    """
    knees_by_prompt: dict[int, int] = {}
    for tokens in sorted({each["prompt_tokens"] for each in results}):
        same = [each for each in results if each["prompt_tokens"] == tokens and each["concurrency"]]
        if len(same) < 3:
            continue
        enough = KNEE * max(each["output_tokens_per_second"] for each in same)
        knees_by_prompt[tokens] = min(
            each["concurrency"] for each in same if each["output_tokens_per_second"] >= enough
        )
    return knees_by_prompt
