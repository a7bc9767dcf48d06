"""The table of all phases, scenarios and slices: its engines, its order, and the sentences in place of "
"numbers."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from config.selection import from_phase
from config.traffic.load import Load, parse
from config.traffic.objective import Objective
from planner import __main__ as command
from planner import choices, slo
from planner.choices import Choice, Task
from serving.engine.phases import PHASES, SCENARIOS
from serving.hardware.accelerators import OFFERED, accelerator
from serving.models.catalog import model

LOAD = parse("rate=20 prompt=2048 answer=128")
TODAY = date(2026, 11, 30)
SPEED: Mapping[str, int] = {"v6e-1": 3, "v6e-4": 9, "v6e-8": 30}
"""Requests a second of one server."""


def result(load: Load, task: Task) -> Mapping[str, Any]:
    assert load.rate is not None
    late = load.rate > SPEED[task.accelerator.name]
    return {
        "rate": load.rate,
        "output_tokens_per_second": 128 * load.rate,
        "time_to_first_token_ms": {"p95": 9000.0 if late else 300.0},
        "time_between_tokens_ms": {"p95": 25.0},
        "limited_by": "HBM",
    }


class Simulator:
    """Stands for the processes with vLLM, and notes what it was asked to do."""

    def __init__(self) -> None:
        self.tasks = list[Task]()

    def __call__(self, tasks: Sequence[Task]) -> Iterator[tuple[int, slo.Plan | str]]:
        for task in reversed(tasks):
            self.tasks.append(task)
            yield task.number, slo.plan(task.load, task.objective, lambda load, task=task: result(load, task))


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch) -> Simulator:
    simulator = Simulator()
    monkeypatch.setattr(choices, "_answers", simulator)
    return simulator


def chosen(slice_: str | None = None, name: str | None = None, load: Load = LOAD) -> list[Choice]:
    asked = choices.selections(slice_, name)
    return choices.choices(asked, load, Objective(first=2000), Path("none"), "0.32.0", lambda line: None)


def test_every_phase_scenario_and_slice_is_in_one_choice(simulator: Simulator) -> None:
    found = chosen()
    pairs = [(name, choice.accelerator.name) for choice in found for name in choice.names]
    names = [*PHASES, *(f"{phase}+{scenario}" for phase in PHASES for scenario in SCENARIOS)]
    assert sorted(pairs) == sorted((name, slice_.name) for name in names for slice_ in OFFERED)


def test_each_engine_uses_all_chips_of_its_slice(simulator: Simulator) -> None:
    chosen()
    assert all(task.engine.tensor_parallel_size == task.accelerator.chips for task in simulator.tasks)


def test_an_engine_with_several_names_is_simulated_once(simulator: Simulator) -> None:
    found = chosen("v6e-4")
    (tuned,) = [choice for choice in found if "tuned" in choice.names]
    assert tuned.name == "tuned, +multimodal, +autoscaling"
    assert len(simulator.tasks) == len(found) < len(PHASES) * (1 + len(SCENARIOS))


def test_a_slice_that_holds_no_weights_has_the_sentence_without_options_of_other_commands(
    simulator: Simulator,
) -> None:
    (tuned,) = [choice for choice in chosen("v6e-1") if "tuned" in choice.names]
    assert isinstance(tuned.answer, str) and "the weights of gemma-4-26b-a4b-it take" in tuned.answer
    assert "--set" not in tuned.answer and tuned.answer.endswith("GiB.")
    assert simulator.tasks and {task.model.name for task in simulator.tasks} == {"gemma-4-e4b-it"}


def test_a_named_model_takes_the_place_of_each_phase_s_own(simulator: Simulator) -> None:
    assert {choice.model.name for choice in chosen("v6e-1", "gemma-4-e2b-it")} == {"gemma-4-e2b-it"}


def test_requests_that_are_too_long_for_an_engine_are_its_sentence(simulator: Simulator) -> None:
    found = chosen("v6e-4", load=parse("rate=1 prompt=9000 answer=100"))
    short = [choice for choice in found if isinstance(choice.answer, str)]
    assert {name.partition("+")[2] for choice in short for name in choice.names} == {"cost-constrained"}
    assert all("engine.max_model_len is 8,192" in str(choice.answer) for choice in short)


def test_an_engine_that_is_not_modeled_is_refused_with_one_sentence() -> None:
    batched = from_phase("x", engine={"use_batched_rpa_kernel": True}).candidate
    refusal = choices.refused(batched, LOAD)
    assert refusal is not None and refusal.startswith("A simulation with engine.use_batched_rpa_kernel")


def test_the_cheapest_comes_first_and_sentences_come_last(simulator: Simulator) -> None:
    text = choices.table(chosen(), "us-east5", "on-demand", TODAY)
    numbers, sentences, notes = text.split("\n\n")
    header, *rows = numbers.splitlines()
    assert header.split()[:3] == ["phase", "and", "scenario"]
    months = [int(row.split(" v6e-")[1].split()[2].replace(",", "")) for row in rows]
    assert months == sorted(months) and len(rows) > 20
    # Seven slices of one chip, three of four, or one of eight, at 2.70 dollars a chip and hour.
    dollars = (7 * 2.70 * 730, 8 * 2.70 * 730, 3 * 4 * 2.70 * 730)
    assert sorted(set(months)) == [round(each) for each in dollars]
    assert all(line.count(" on v6e-1: ") == 1 for line in sentences.splitlines())
    dated, warning, *bands = notes.splitlines()
    assert dated.startswith("Dollars at this rate: on-demand, us-east5, price read 2026-")
    assert "check it in the Cloud Billing Catalog" in warning
    assert [band.split(": The medians can be off: ")[0] for band in bands] == [
        "gemma-4-26b-a4b-it",
        "gemma-4-e4b-it",
    ]


def test_a_choice_without_a_price_says_so(simulator: Simulator) -> None:
    text = choices.table(chosen("v6e-4"), "europe-west9", "on-demand", TODAY)
    numbers, notes = text.split("\n\n")
    assert all(row.split().count("price") == 2 for row in numbers.splitlines()[1:])
    assert notes.startswith("No price: The on-demand price of v6e in europe-west9 was asked for")


def test_json_has_numbers_or_the_sentence(simulator: Simulator) -> None:
    found = [*chosen("v6e-1", "gemma-4-e2b-it")[:1], choice_without_answer()]
    good, bad = choices.document(found, "us-east5", "on-demand", TODAY)
    assert (good["slices"], good["dollars_a_month"]) == (7, pytest.approx(7 * 2.70 * 730))
    assert bad["refusal"] == "It does not fit." and "slices" not in bad


def choice_without_answer() -> Choice:
    return Choice(("tuned",), accelerator("v6e-1"), model("gemma-4-26b-a4b-it"), "It does not fit.")


def test_the_command_prints_json(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "version", lambda: "0.32.0")
    words = ["--load", "rate=20 prompt=2048 answer=128", "--slo", "first=2000", "--accelerator", "v6e-8"]
    assert command.main(["choose", *words, "--json"]) == 0
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert (document["state"], document["slo"]) == ("simulated", "first=2000")
    assert len(document["choices"]) == len(simulator.tasks)
    assert f"{len(simulator.tasks)}/{len(simulator.tasks)}" in printed.err


MISTAKES = [
    (["--load", "prompt=1", "--slo", "first=1"], "LOAD lacks answer"),
    (
        ["--load", "rate=1 prompt=9 answer=9", "--slo", "fast"],
        "'fast' in the SLO is neither first nor between",
    ),
    (["--load", "concurrency=1 prompt=9 answer=9", "--slo", "first=1"], "An SLO needs a load with a rate"),
    (
        ["--load", "rate=1 prompt=9 answer=9", "--slo", "first=1", "--accelerator", "v6e-2"],
        "accelerator 'v6e-2'",
    ),
]


@pytest.mark.parametrize(("words", "sentence"), MISTAKES)
def test_a_mistake_ends_the_command_before_a_simulation(
    words: list[str], sentence: str, simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["choose", *words]) == 2
    assert sentence in capsys.readouterr().err
    assert simulator.tasks == []
