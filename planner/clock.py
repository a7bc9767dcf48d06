"""The simulated clock: a scheduler, a load and the seconds of each step give the times of every token.

It repeats the loop of vLLM's engine (vllm/v1/engine/core.py, `step` and `step_with_batch_queue`): with
asynchronous scheduling the next step is chosen while the present one runs, so a request that comes in between
waits for both. A request's answer, once complete, lets the client of a load with a concurrency send the next.
The engine chooses the next step as soon as one ends, while the answer is on its way to the client: so the
request that follows an answer is not in that step, unless the engine is idle.

Before that, one thread of the server tokenizes the prompts, one after another (`renderer_num_workers` in
vllm/config/model.py is 1, and vllm/renderers/base.py has a pool of as many threads).
"""

import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from config.traffic.load import Load, Request
from planner.constants import TOKEN_SECONDS
from planner.step_time import StepTime
from planner.step_work import Piece
from serving.compilation.candidate import Candidate


@dataclass(frozen=True)
class Batch:
    """One step as the scheduler chose it. `handle` is the scheduler's own object."""

    pieces: Sequence[Piece]
    preempted: int
    handle: object


@dataclass(frozen=True)
class Outcome:
    """Numbers of the requests that got a token in a step, and of those that ended with it."""

    tokens: Sequence[int]
    finished: Sequence[int]


class Scheduler(Protocol):
    """Part of a scheduler that the clock needs; `vllm_scheduler.py` has vLLM's."""

    def add(self, request: Request) -> None:
        """Takes a request."""
        ...

    def schedule(self) -> Batch | None:
        """Returns the next step, or None if no request can run."""
        ...

    def complete(self, batch: Batch) -> Outcome:
        """Ends a step. Steps end in the order in which they were scheduled."""
        ...

    def waiting(self) -> int:
        """Returns the requests that wait for their first step, or again after a preemption."""
        ...

    def cached_share(self) -> float:
        """Returns the share of the KV cache's pages that requests hold."""
        ...


@dataclass
class Times:
    """Times of one request in seconds after the start: sent, first token, last token."""

    sent: float
    first: float | None = None
    last: float | None = None
    answer: int = 0


@dataclass(frozen=True)
class Step:
    """One step: its start, its seconds by part, its requests, and those that waited."""

    start: float
    time: StepTime
    requests: int
    tokens: int
    waiting: int
    cached_share: float


@dataclass
class Trace:
    """Everything that happened."""

    requests: dict[int, Times] = field(default_factory=dict[int, Times])
    steps: list[Step] = field(default_factory=list[Step])
    preemptions: int = 0

    @property
    def seconds(self) -> float:
        """Returns the seconds from the first request to the last token."""
        return max((times.last for times in self.requests.values() if times.last is not None), default=0.0)


@dataclass
class _Clients:
    """Sends requests, and has each on its way to the engine until its prompt is tokenized."""

    coming: Iterator[Request]
    token_seconds: float
    trace: Trace
    tokenized: float = 0.0
    """When the last prompt is tokenized."""
    arrivals: list[tuple[float, int, Request]] = field(default_factory=list[tuple[float, int, Request]])
    """Requests by the time at which they reach the engine."""

    def send(self, number: int, now: float) -> None:
        """Sends up to `number` more requests, now or at their own time."""
        for request in itertools.islice(self.coming, number):
            sent = max(now, request.at)
            self.trace.requests[request.number] = Times(sent, answer=request.answer)
            self.tokenized = max(sent, self.tokenized) + request.prompt * self.token_seconds
            heapq.heappush(self.arrivals, (self.tokenized, request.number, request))

    def deliver(self, scheduler: Scheduler, before: float) -> None:
        """Gives the scheduler the requests that reach the engine before a time."""
        while self.arrivals and self.arrivals[0][0] < before:
            scheduler.add(heapq.heappop(self.arrivals)[2])


def simulate(
    load: Load,
    scheduler: Scheduler,
    seconds: Callable[[Sequence[Piece]], StepTime],
    *,
    asynchronous: bool,
    token_seconds: float,
) -> Trace:
    """Returns the trace of a load.

    `seconds` gives the time of a step, and `token_seconds` is that of tokenizing a token of text. Raises
    RuntimeError if the scheduler never runs a request.
    """
    trace = Trace()
    clients = _Clients(load.draw(), token_seconds, trace)
    clients.send(load.concurrency or load.requests, 0.0)
    depth = 2 if asynchronous else 1
    queue = deque[tuple[Batch, float]]()
    now = free = 0.0
    while True:
        clients.deliver(scheduler, before=now)
        batch = scheduler.schedule() if len(queue) < depth else None
        if batch is not None:
            time = seconds(batch.pieces)
            start = max(now, free)
            free = start + time.total
            trace.preemptions += batch.preempted
            trace.steps.append(_step(start, time, batch, scheduler))
            queue.append((batch, free))
            if len(queue) < depth:
                continue
        if queue:
            batch, end = queue.popleft()
            now = max(now, end)
            ended = _note(scheduler.complete(batch), now, trace)
            if load.concurrency is not None:
                clients.send(ended, now)
        elif clients.arrivals:
            now = clients.arrivals[0][0]
            clients.deliver(scheduler, before=math.nextafter(now, math.inf))
        else:
            break
    if any(times.last is None for times in trace.requests.values()):
        raise RuntimeError("Requests are left that the scheduler does not run: the KV cache is too small.")
    return trace


def simulate_engine(
    candidate: Candidate, load: Load, scheduler: Scheduler, seconds: Callable[[Sequence[Piece]], StepTime]
) -> Trace:
    """Returns the trace of a load on an engine, as its runtime schedules and tokenizes."""
    asynchronous = candidate.runtime.async_scheduling
    return simulate(load, scheduler, seconds, asynchronous=asynchronous, token_seconds=TOKEN_SECONDS)


def _step(start: float, time: StepTime, batch: Batch, scheduler: Scheduler) -> Step:
    tokens = sum(piece.tokens for piece in batch.pieces)
    return Step(start, time, len(batch.pieces), tokens, scheduler.waiting(), scheduler.cached_share())


def _note(outcome: Outcome, now: float, trace: Trace) -> int:
    """Notes the tokens of a step; returns how many requests ended with it."""
    for number in outcome.tokens:
        times = trace.requests[number]
        if times.first is None:
            times.first = now
    for number in outcome.finished:
        trace.requests[number].last = now
    return len(outcome.finished)
