"""A scheduler for tests of the clock: first come, first served, whole prompts, no limits but the slots."""

from collections.abc import Sequence

from config.traffic.load import Request
from planner.clock import Batch, Outcome
from planner.step_time import StepTime
from planner.step_work import Piece


class OneByOne:
    """Runs up to `slots` requests, each of which computes its prompt in one step."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.queue = list[Request]()
        self.running = dict[int, Request]()
        self.scheduled = dict[int, int]()
        self.got = dict[int, int]()

    def add(self, request: Request) -> None:
        self.queue.append(request)

    def schedule(self) -> Batch | None:
        while self.queue and len(self.running) < self.slots:
            request = self.queue.pop(0)
            self.running[request.number], self.scheduled[request.number] = request, 0
        pieces, numbers = list[Piece](), list[int]()
        for number, request in self.running.items():
            before = self.scheduled[number]
            if before >= request.answer:
                continue
            cached = request.prompt + before - 1 if before else 0
            pieces.append(Piece(1 if before else request.prompt, cached, before == 0))
            numbers.append(number)
            self.scheduled[number] += 1
        return Batch(pieces, 0, numbers) if pieces else None

    def complete(self, batch: Batch) -> Outcome:
        assert isinstance(batch.handle, list)
        numbers: list[int] = batch.handle
        finished = list[int]()
        for number in numbers:
            self.got[number] = self.got.get(number, 0) + 1
            if self.got[number] == self.running[number].answer:
                finished.append(number)
                del self.running[number]
        return Outcome(numbers, finished)

    def waiting(self) -> int:
        return len(self.queue)

    def cached_share(self) -> float:
        return len(self.running) / self.slots


def a_second_each(pieces: Sequence[Piece]) -> StepTime:
    return StepTime(arithmetic=0.75, hbm=0.25, links=0.0, host=0.0)
