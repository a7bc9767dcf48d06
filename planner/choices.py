"""Every phase, scenario and slice under one load: the slices that keep an SLO, and their price.

An engine that several names describe is simulated once. Engines run in two processes, and each keeps its
finished cells in a file of its own, so that the same command goes on after an interruption.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from config.selection import Selection, from_phase
from config.traffic.load import Load
from config.traffic.objective import SHARE, Objective
from planner import report, slo, sweep
from planner.constants import Fitted, fitted
from planner.step_work import shape
from planner.vllm_scheduler import scheduling_words
from serving.compilation.candidate import Candidate
from serving.compilation.proof import Proof
from serving.engine.config import EngineConfig
from serving.engine.phases import PHASES, SCENARIOS
from serving.findings import findings
from serving.hardware import prices
from serving.hardware.accelerators import OFFERED, Accelerator, accelerator
from serving.hardware.regions import Provisioning
from serving.memory.budget import budget
from serving.models.spec import ModelSpec


@dataclass(frozen=True)
class Choice:
    """One engine on one slice; `names` are the phases and scenarios that describe it."""

    names: tuple[str, ...]
    accelerator: Accelerator
    model: ModelSpec
    answer: slo.Plan | str
    """The slices that the load needs, or the sentence that says why there is no number."""

    @property
    def name(self) -> str:
        """Returns all names; scenarios of the first one's phase without that."""
        first, *others = self.names
        phase = first.partition("+")[0]
        return ", ".join([first, *(other.removeprefix(phase) for other in others)])


@dataclass(frozen=True)
class Task:
    """One engine with the load, in parts that another process can take."""

    number: int
    accelerator: Accelerator
    model: ModelSpec
    engine: EngineConfig
    pages: int
    fitted: Fitted
    load: Load
    objective: Objective
    store: Path
    proof: Proof | None


def selections(slice_: str | None, model: str | None) -> list[Selection]:
    """Returns every phase with and without every scenario, on each slice or on the named one.

    Each engine uses all chips of its slice. A named model takes the place of the phase's own. Raises
    ValueError for names that are in no table.
    """
    names = [slice_] if slice_ else [offered.name for offered in OFFERED]
    return [
        _selection(phase, scenario, name, model)
        for phase in PHASES
        for scenario in (None, *SCENARIOS)
        for name in names
    ]


def _selection(phase: str, scenario: str | None, slice_: str, model: str | None) -> Selection:
    return from_phase(
        f"{phase}+{scenario}" if scenario else phase,
        phase=phase,
        scenario=scenario,
        accelerator_name=slice_,
        model_name=model,
        engine={"tensor_parallel_size": accelerator(slice_).chips},
    )


def choices(
    asked: Sequence[Selection],
    load: Load,
    objective: Objective,
    folder: Path,
    version: str,
    tell: Callable[[str], None],
) -> list[Choice]:
    """Returns one choice for each engine and slice; `load` has a rate, and `version` is vLLM's.

    `tell` gets a line for each engine that was simulated.
    """
    engines = _engines(asked, load)
    candidates = [candidate for _, candidate, _ in engines]
    names = [names for names, _, _ in engines]
    answers: dict[int, slo.Plan | str] = {
        number: refusal for number, (_, _, refusal) in enumerate(engines) if refusal
    }
    tasks = [
        _task(number, candidate, load, objective, folder, version)
        for number, candidate in enumerate(candidates)
        if number not in answers
    ]
    for done, (number, found) in enumerate(_answers(tasks), 1):
        answers[number] = found
        where = f"{names[number][0]} on {candidates[number].accelerator.name}"
        tell(f"   {done:>3}/{len(tasks)}  {where}: {_short(found)}")
    return [
        Choice(tuple(names[number]), candidate.accelerator, candidate.model, answers[number])
        for number, candidate in enumerate(candidates)
    ]


def _engines(asked: Sequence[Selection], load: Load) -> list[tuple[list[str], Candidate, str | None]]:
    """Returns the engines that a simulation distinguishes: their names, and why one has no answer."""
    engines: dict[object, tuple[list[str], Candidate, str | None]] = {}
    for selection in asked:
        candidate = selection.proved
        refusal = refused(candidate, load)
        key = (candidate.accelerator.name, refusal or _distinguished(candidate))
        names, _, _ = engines.setdefault(key, ([], candidate, refusal))
        names.append(selection.name)
    return list(engines.values())


def _distinguished(candidate: Candidate) -> object:
    """Returns everything of an engine on which a simulation depends, to compare it with another's."""
    words, pages = scheduling_words(candidate), budget(candidate).pool.pages
    runtime = candidate.runtime
    return repr((shape(candidate), words, pages, runtime.block_size, runtime.async_scheduling))


def refused(candidate: Candidate, load: Load) -> str | None:
    """Returns the sentence on an engine that would not serve, that is not modeled, or whose requests are too
    long."""
    errors = [finding for finding in findings(candidate) if finding.severity == "error"]
    if errors:
        # The advice names options of other commands.
        return f"{errors[0].asked}: {errors[0].truth}."
    try:
        sweep.check(candidate, [load], budget(candidate).pool.pages)
    except ValueError as reason:
        return str(reason)
    return None


def _task(
    number: int, candidate: Candidate, load: Load, objective: Objective, folder: Path, version: str
) -> Task:
    pages, constants = budget(candidate).pool.pages, fitted(candidate.model.name)
    store = sweep.cells_file(folder, candidate, pages, constants, version)
    slice_, model, engine = candidate.accelerator, candidate.model, candidate.engine
    return Task(number, slice_, model, engine, pages, constants, load, objective, store, candidate.proof)


def _answers(tasks: Sequence[Task]) -> Iterator[tuple[int, slo.Plan | str]]:
    """Yields the answer of each engine as soon as it is there."""
    if tasks:
        with sweep.pool(min(sweep.PROCESSES, len(tasks))) as processes:
            yield from processes.imap_unordered(answer, tasks)


def answer(task: Task) -> tuple[int, slo.Plan | str]:
    """Returns the slices that an engine needs, or why no number keeps the SLO."""
    candidate = Candidate(task.accelerator, task.model, task.engine, task.proof)
    try:
        simulated = sweep.stored(candidate, task.pages, task.fitted, task.store, lambda line: None)
        return task.number, slo.plan(task.load, task.objective, simulated)
    except ValueError as reason:
        return task.number, str(reason)


def _short(answer: slo.Plan | str) -> str:
    if isinstance(answer, str):
        return answer
    return f"{answer.slices:,} slice{'' if answer.slices == 1 else 's'}"


HEADER = (
    *("phase and scenario", "model", "slice", "slices", "$ a month", "$ a million", "first token p95"),
    *("between p95", "tokens/s each", "limited by"),
)


def table(found: Sequence[Choice], region: str, provisioning: Provisioning, today: date) -> str:
    """Returns one line a choice, the cheapest first, then sentences of those without a number, then notes."""
    priced = sorted(
        ((_price(choice, region, provisioning, today), choice) for choice in found),
        key=lambda pair: (pair[0] is None, pair[0] or (0.0, 0.0)),
    )
    rows = [_row(choice, price) for price, choice in priced if isinstance(choice.answer, slo.Plan)]
    lines = list[str]()
    if rows:
        shown = [HEADER, *rows]
        widths = [max(len(row[column]) for row in shown) for column in range(len(HEADER))]
        lines = [
            "  ".join(
                text.ljust(width) if column < 3 else text.rjust(width)
                for column, (text, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in shown
        ]
    refusals = [
        f"{choice.name} on {choice.accelerator.name}: {choice.answer}"
        for choice in found
        if isinstance(choice.answer, str)
    ]
    notes = _notes(found, region, provisioning, today) if rows else []
    return "\n\n".join("\n".join(part) for part in (lines, refusals, notes) if part)


def _notes(found: Sequence[Choice], region: str, provisioning: Provisioning, today: date) -> list[str]:
    """Returns the source of the prices, and how far the numbers of each model can be off.

    Some choice has slices. Those that have are of one generation of chips, and so have one price.
    """
    notes = list[str]()
    planned = [choice for choice in found if isinstance(choice.answer, slo.Plan)]
    try:
        price = prices.cost(planned[0].accelerator, region, provisioning, today)
    except ValueError as reason:
        notes.append(f"No price: {reason}")
    else:
        notes.append(f"Dollars at this rate: {provisioning}, {region}, price read {price.price.read}.")
        notes += [price.warning] if price.warning else []
    models = {choice.model.name for choice in planned}
    return [*notes, *(f"{name}: {_errors(fitted(name))}" for name in sorted(models))]


def _errors(constants: Fitted) -> str:
    return report.errors(asdict(constants.band), constants.basis)


def _price(
    choice: Choice, region: str, provisioning: Provisioning, today: date
) -> tuple[float, float] | None:
    """Returns the dollars a month and for a million output tokens, or None without a number or a price."""
    if isinstance(choice.answer, str):
        return None
    try:
        price = prices.cost(choice.accelerator, region, provisioning, today)
    except ValueError:
        return None
    return slo.dollars(choice.answer, price)


def _row(choice: Choice, price: tuple[float, float] | None) -> tuple[str, ...]:
    assert isinstance(choice.answer, slo.Plan)
    each = choice.answer.result
    between = each["time_between_tokens_ms"]
    return (
        *(choice.name, choice.model.name, choice.accelerator.name, f"{choice.answer.slices:,}"),
        *(("no price", "no price") if price is None else (f"{price[0]:,.0f}", f"{price[1]:,.2f}")),
        f"{each['time_to_first_token_ms'][SHARE]:,.0f} ms",
        "-" if between is None else f"{between[SHARE]:,.1f} ms",
        f"{each['output_tokens_per_second']:,.0f}",
        f"{each['limited_by']}",
    )


def document(
    found: Sequence[Choice], region: str, provisioning: Provisioning, today: date
) -> list[Mapping[str, Any]]:
    """Returns the choices as JSON, in the order of the phases."""
    rows = list[Mapping[str, Any]]()
    for choice in found:
        row: dict[str, Any] = {
            "names": list(choice.names),
            "model": choice.model.name,
            "accelerator": choice.accelerator.name,
        }
        if isinstance(choice.answer, str):
            rows.append({**row, "refusal": choice.answer})
            continue
        price = _price(choice, region, provisioning, today)
        month, million = price if price else (None, None)
        rows.append(
            {
                **row,
                "slices": choice.answer.slices,
                "dollars_a_month": month,
                "dollars_a_million_output_tokens": million,
                "each": choice.answer.result,
            }
        )
    return rows
