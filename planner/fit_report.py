"""Measured cells beside simulated ones, and the constants fitted again.

It runs vLLM's scheduler, so in the model server's environment. The published cells take about two minutes.
"""

from collections.abc import Callable, Mapping, Sequence

from planner.constants import START, Constants
from planner.fit import FREE, Record, fit, leave_one_out, measured, record
from planner.measured_cells import E2B, E2B_AGAIN, MOE_26B, MeasuredCell, MeasuredEngine
from serving.compilation.candidate import Candidate
from serving.memory.budget import budget


def published(tell: Callable[[str], None]) -> str:
    """Returns the report on planner/measured_cells.py, with each architecture's constants fitted again."""
    texts, start = list[str](), START
    for engine, free in ((E2B, FREE), (MOE_26B, ("step_seconds",))):
        tell(f"-> {engine.model} on {engine.accelerator}: {len(engine.cells)} measured cells")
        cells = settled_records(engine, start, free)
        start, text = fitted_again(cells, engine.candidate, start, free)
        texts.append(text)
        if engine is E2B:
            tell(f"-> another server, {len(E2B_AGAIN.cells)} measured cells")
            again = published_records(E2B_AGAIN, start)
            texts.append(_table("The other server, not fitted", again, E2B.candidate, start))
    return "\n\n".join(texts)


def published_records(engine: MeasuredEngine, constants: Constants) -> list[Record]:
    """Returns the steps of every cell of a published engine, which one server answered one after another."""
    from planner.vllm_scheduler import VllmScheduler

    pages = engine.pages or budget(engine.candidate).pool.pages
    scheduler = VllmScheduler(engine.candidate, pages)
    return [record(engine.candidate, cell, scheduler, constants) for cell in engine.cells]


def settled_records(engine: MeasuredEngine, start: Constants, free: Sequence[str]) -> list[Record]:
    """Returns the steps of every cell of a published engine, recorded with constants that nearly fit them."""
    rough = fit(published_records(engine, start), engine.candidate.accelerator, start, free)
    return published_records(engine, rough)


def records(
    candidate: Candidate,
    pages: int,
    cells: Sequence[MeasuredCell],
    constants: Constants,
    tell: Callable[[str], None],
) -> list[Record]:
    """Returns the steps of every cell, as vLLM's scheduler chooses them with an empty cache.

    `tell` gets a line for each cell.
    """
    from planner.vllm_scheduler import VllmScheduler

    found = list[Record]()
    for number, cell in enumerate(cells, 1):
        found.append(record(candidate, cell, VllmScheduler(candidate, pages), constants))
        tell(f"   {number:>3}/{len(cells)}  {cell.name}")
    return found


def compared(cells: Sequence[Record], candidate: Candidate, constants: Constants) -> str:
    """Returns the table of measured cells beside simulated ones, with the committed constants."""
    title = f"{candidate.model.name} on {candidate.accelerator.name}, committed constants"
    return _table(title, cells, candidate, constants)


def fitted_again(
    cells: Sequence[Record], candidate: Candidate, start: Constants, free: Sequence[str]
) -> tuple[Constants, str]:
    """Returns the constants that fit the cells best, and their table.

    Each cell is also predicted without itself, if there are more cells than constants.
    """
    slice_ = candidate.accelerator
    constants = fit(cells, slice_, start, free)
    enough = len(cells) > len(free)
    left_out = leave_one_out(cells, slice_, constants, free) if enough else None
    title = f"{candidate.model.name} on {slice_.name}, fitted: {', '.join(free)}"
    return constants, _table(title, cells, candidate, constants, left_out)


def _table(
    title: str,
    cells: Sequence[Record],
    candidate: Candidate,
    constants: Constants,
    left_out: Sequence[Mapping[str, float] | None] | None = None,
) -> str:
    lines = [
        title,
        f"  efficiency {constants.efficiency:.3f}, a step {constants.step_seconds * 1000:.3f} ms, "
        f"a new request {constants.request_seconds * 1000:.2f} ms",
        f"  {'cell':<12}{'number':<10}{'measured':>10}{'simulated':>11}{'error':>8}{'left out':>10}",
    ]
    for each, without in zip(cells, left_out or [None] * len(cells), strict=True):
        lines += _cell(each, each.numbers(candidate.accelerator, constants), without)
    return "\n".join(lines)


def _cell(each: Record, simulated: Mapping[str, float], without: Mapping[str, float] | None) -> list[str]:
    lines = list[str]()
    for name, value in measured(each.cell).items():
        left_out = "-" if without is None else f"{without[name]:+.1%}"
        error = simulated[name] / value - 1
        numbers = f"{value:>10,.1f}{simulated[name]:>11,.1f}{error:>+8.1%}{left_out:>10}"
        lines.append(f"  {each.cell.name:<12}{name:<10}{numbers}")
    return lines
