"""Ladder of simultaneous requests: no failure, and times within the limits and the slice's baseline."""

import asyncio
import math
import time
from collections.abc import Iterator, Sequence

from agent.sidecar import records
from agent.sidecar.client import Failed, Stream
from agent.sidecar.request_checks import COMPLETIONS
from agent.sidecar.run import Run, Warned
from agent.sidecar.settings import Settings
from agent.sidecar.verdict import Baseline, Cell, Percentiles

REQUESTS_EACH = 2
"""Requests of a cell for each simultaneous one."""

MEDIANS = (
    ("time_to_first_token_ms", "time to first token"),
    ("time_between_tokens_ms", "time between tokens"),
)
"""Fields of a cell and of the limits, and their names in sentences."""


async def ladder(run: Run) -> str:
    """Measures every cell. One that is too slow is measured once more, and the second result counts."""
    baseline, unread = await records.baseline(run.settings)
    if baseline is not None and run.settings.store is not None:
        run.baseline = run.settings.store.baseline
    slow: list[str] = []
    for concurrency in rungs(run.settings):
        cell = await measure(run, concurrency)
        if any(_objections(run, cell, baseline)):
            cell = await measure(run, concurrency)
        run.ladder.append(cell)
        slow += _objections(run, cell, baseline)
    if slow:
        raise Failed("; ".join(slow))
    if unread is not None:
        raise Warned(unread)
    compared = f"compared with {run.baseline}" if run.baseline else "without a baseline to compare with"
    shown = ", ".join(f"{cell.output_tokens_per_second:.0f} at {cell.concurrency}" for cell in run.ladder)
    return f"No request failed and no time is beyond its limit, {compared}; output tokens a second: {shown}."


def rungs(settings: Settings) -> Sequence[int]:
    """Returns the numbers of simultaneous requests, up to what the server takes."""
    most = settings.at_once
    queued = settings.record.number("--max-num-queued-tokens")
    if queued is not None:
        most = max(1, min(most, int(queued) // prompt_tokens(settings)))
    return sorted({min(number, most) for number in settings.acceptance.ladder.concurrency})


def prompt_tokens(settings: Settings) -> int:
    """Returns the tokens of each prompt: as configured, or what the answer leaves of the longest request."""
    asked = settings.acceptance.ladder
    return max(1, min(asked.prompt_tokens, settings.server.max_model_len - asked.output_tokens))


async def measure(run: Run, concurrency: int) -> Cell:
    """Returns one cell. Raises Failed when a request fails."""
    asked, tokens = run.settings.acceptance.ladder, prompt_tokens(run.settings)
    prompts = [await run.tokens.of(tokens) for _ in range(REQUESTS_EACH * concurrency)]
    number, streams, failures = len(prompts), list[Stream](), list[Failed]()

    async def client() -> None:
        while prompts:
            body = {"prompt": prompts.pop(), "max_tokens": asked.output_tokens, "ignore_eos": True}
            try:
                stream = await run.client.stream(COMPLETIONS, body)
                if stream.usage.completion_tokens != asked.output_tokens:
                    raise Failed(
                        f"an answer of {asked.output_tokens} tokens has {stream.usage.completion_tokens}"
                    )
                streams.append(stream)
            except Failed as failure:
                failures.append(failure)

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(concurrency)))
    seconds = time.perf_counter() - began
    first = [1000 * stream.first_token_seconds for stream in streams]
    rest = [stream.last_token_seconds - stream.first_token_seconds for stream in streams]
    cell = Cell(
        concurrency=concurrency,
        prompt_tokens=tokens,
        output_tokens=asked.output_tokens,
        requests=number,
        failures=len(failures),
        time_to_first_token_ms=percentiles(first),
        time_between_tokens_ms=percentiles([1000 * each / (asked.output_tokens - 1) for each in rest]),
        output_tokens_per_second=round(len(streams) * asked.output_tokens / seconds, 1),
    )
    if failures:
        run.ladder.append(cell)
        raise Failed(
            f"at concurrency {concurrency}, {len(failures)} of {number} requests failed, the first one so: "
            f"{failures[0]}"
        )
    return cell


def percentiles(values: Sequence[float]) -> Percentiles | None:
    """Returns median and 95th percentile by nearest rank; None without values."""
    ranked = sorted(values)
    if not ranked:
        return None
    p50, p95 = (round(ranked[math.ceil(share * len(ranked)) - 1], 2) for share in (0.5, 0.95))
    return Percentiles(p50=p50, p95=p95)


def _objections(run: Run, cell: Cell, baseline: Baseline | None) -> Iterator[str]:
    """Yields a sentence for each median that is above its limit or too far above the baseline's."""
    wanted = (cell.concurrency, cell.prompt_tokens, cell.output_tokens)
    before = next(
        (
            each
            for each in (baseline.ladder if baseline else ())
            if (each.concurrency, each.prompt_tokens, each.output_tokens) == wanted
        ),
        None,
    )
    for field, name in MEDIANS:
        value = _median(cell, field)
        limit: float | None = getattr(run.settings.acceptance.limits, field)
        where = f"at concurrency {cell.concurrency} the median {name} is {value:.1f} ms"
        if limit is not None and value > limit:
            yield f"{where}, above acceptance.limits.{field} = {limit:g}"
        tolerated = 1 + run.settings.acceptance.tolerance
        if before is not None and value > tolerated * (known := _median(before, field)):
            yield f"{where}, above {tolerated:g} times the {known:.1f} ms of {run.baseline}"


def _median(cell: Cell, field: str) -> float:
    found: Percentiles | None = getattr(cell, field)
    return found.p50 if found is not None else math.inf
