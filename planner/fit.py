"""Fits the constants of an architecture on measured cells, and predicts each cell without it (leave one out).

In these loads the device hardly ever waits for a client, so the order of steps hardly depends on their times:
the steps of a cell are recorded, and priced with any constants.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from planner.clock import Scheduler, Trace, simulate_engine
from planner.constants import Constants
from planner.measured_cells import MeasuredCell
from planner.step_time import StepTime, step_time
from planner.step_work import Piece, StepWork, shape
from serving.compilation.candidate import Candidate
from serving.hardware.accelerators import Accelerator

TOLERANCES = {"tokens/s": 0.10, "between": 0.10, "first": 0.20}
"""Relative error of each number with the weight 1 in the fit."""

MOST = 4.0
"""Loss of a number that is off by twice its tolerance or more: an odd one counts no further."""

FREE = ("efficiency", "step_seconds", "request_seconds")


@dataclass(frozen=True)
class Record:
    """Steps of one cell, and for each request the steps after which it was sent, began and ended.

    A request that was sent at the start has -1. `waits` has the seconds for which the device was idle before
    each step.
    """

    cell: MeasuredCell
    works: Sequence[StepWork]
    waits: Sequence[float]
    requests: Sequence[tuple[int, int, int]]

    def numbers(self, accelerator: Accelerator, constants: Constants) -> dict[str, float]:
        """Returns output tokens a second, and medians in milliseconds, with these constants.

        The time between tokens of answers of one token is 0.
        """
        ends = [0.0]
        for work, wait in zip(self.works, self.waits, strict=True):
            ends.append(ends[-1] + wait + step_time(work, accelerator, constants).total)
        first = [ends[begun + 1] - ends[sent + 1] for sent, begun, _ in self.requests]
        gaps = max(1, self.cell.answer - 1)
        between = [(ends[ended + 1] - ends[begun + 1]) / gaps for _, begun, ended in self.requests]
        seconds = max(ends[ended + 1] for _, _, ended in self.requests)
        return {
            "tokens/s": self.cell.requests * self.cell.answer / seconds,
            "between": statistics.median(between) * 1000,
            "first": statistics.median(first) * 1000,
        }

    def errors(self, accelerator: Accelerator, constants: Constants) -> dict[str, float]:
        """Returns the relative error of each number that was measured."""
        numbers = self.numbers(accelerator, constants)
        return {name: numbers[name] / value - 1 for name, value in measured(self.cell).items()}


def measured(cell: MeasuredCell) -> dict[str, float]:
    """Returns the measured numbers of a cell, by the names of TOLERANCES."""
    values = {
        "tokens/s": cell.output_tokens_per_second,
        "between": cell.between_ms,
        "first": cell.first_ms,
    }
    return {name: value for name, value in values.items() if value is not None}


def record(candidate: Candidate, cell: MeasuredCell, scheduler: Scheduler, constants: Constants) -> Record:
    """Returns the steps of a cell, as the scheduler chooses them."""
    works = list[StepWork]()
    shape_ = shape(candidate)

    def seconds(pieces: Sequence[Piece]) -> StepTime:
        works.append(shape_.work(pieces))
        return step_time(works[-1], candidate.accelerator, constants)

    trace = simulate_engine(candidate, cell.load, scheduler, seconds)
    ends = [0.0, *(step.start + step.time.total for step in trace.steps)]
    waits = [step.start - end for step, end in zip(trace.steps, ends, strict=False)]
    return Record(cell, works, waits, _by_step(trace))


def _by_step(trace: Trace) -> list[tuple[int, int, int]]:
    at = {0.0: -1}
    for index, step in enumerate(trace.steps):
        at[step.start + step.time.total] = index
    return [
        (at[times.sent], at[times.first or 0.0], at[times.last or 0.0]) for times in trace.requests.values()
    ]


def fit(
    records: Sequence[Record], accelerator: Accelerator, start: Constants, free: Sequence[str] = FREE
) -> Constants:
    """Returns the constants with the smallest sum of squared errors, in units of their tolerances.

    Only those of `free` change, at most by factors that lead downhill from `start`.
    """
    return _descend(start, free, lambda constants: _loss(records, accelerator, constants))


def leave_one_out(
    records: Sequence[Record], accelerator: Accelerator, start: Constants, free: Sequence[str] = FREE
) -> list[dict[str, float]]:
    """Returns for each cell the errors of constants that were fitted on the other cells."""
    return [
        left.errors(
            accelerator, fit([each for each in records if each is not left], accelerator, start, free)
        )
        for left in records
    ]


def _loss(records: Sequence[Record], accelerator: Accelerator, constants: Constants) -> float:
    return sum(
        min(MOST, (math.log1p(error) / TOLERANCES[name]) ** 2)
        for each in records
        for name, error in each.errors(accelerator, constants).items()
    )


def _descend(start: Constants, free: Sequence[str], loss: Callable[[Constants], float]) -> Constants:
    """Returns a minimum, by factors on one constant at a time that become smaller."""
    best, lowest, factor = start, loss(start), 1.3
    while factor > 1.002:
        better = False
        for name in free:
            for change in (factor, 1 / factor):
                candidate = _scaled(best, name, change)
                if (value := loss(candidate)) < lowest:
                    best, lowest, better = candidate, value, True
        if not better:
            factor = math.sqrt(factor)
    return best


def _scaled(constants: Constants, name: str, factor: float) -> Constants:
    values: dict[str, float] = asdict(constants)
    return Constants(**{**values, name: values[name] * factor})
