"""A sweep: what is refused before it starts, and that finished cells are not simulated again."""

import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from config.selection import from_phase
from config.traffic.load import Load, parse
from load_test.ladders import FIXED
from planner import __main__ as command
from planner import fit_report, sweep
from planner.answer import result
from planner.clock import simulate
from planner.constants import fitted
from tests.unit.planner.steps import OneByOne, a_second_each

TUNED = from_phase("tuned", phase="tuned").candidate
FITTED = fitted(TUNED.model.name)
LOADS = [parse(f"concurrency={number} prompt={100 * number} answer=10") for number in (1, 2, 4)]


class Simulator:
    """Stands for the processes with vLLM, and notes what it was asked to do."""

    def __init__(self) -> None:
        self.loads = list[Load]()

    def __call__(self, tasks: Sequence[sweep.Task]) -> Iterator[tuple[Load, dict[str, Any]]]:
        for task in tasks:
            self.loads.append(task.load)
            yield task.load, {"cell": f"c{task.load.concurrency}"}


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch) -> Simulator:
    simulator = Simulator()
    monkeypatch.setattr(sweep, "_simulated", simulator)
    return simulator


def run(store: Path, loads: Sequence[Load] = LOADS) -> list[dict[str, Any]]:
    return sweep.sweep(TUNED, 1000, FITTED, loads, store, lambda line: None)


def test_results_are_in_the_order_of_the_loads_and_the_long_ones_start_first(
    simulator: Simulator, tmp_path: Path
) -> None:
    assert [result["cell"] for result in run(tmp_path / "a" / "cells.jsonl")] == ["c1", "c2", "c4"]
    assert simulator.loads[0] == LOADS[-1]


def test_a_second_run_simulates_only_what_is_left(simulator: Simulator, tmp_path: Path) -> None:
    store = tmp_path / "cells.jsonl"
    run(store, LOADS[:2])
    # An interruption cuts the last line.
    store.write_text(store.read_text("utf-8") + '{"load": "half', "utf-8")
    simulator.loads.clear()
    assert len(run(store)) == 3
    assert simulator.loads == [LOADS[2]]


def test_a_cell_after_a_line_that_was_cut_is_not_lost(simulator: Simulator, tmp_path: Path) -> None:
    store = tmp_path / "cells.jsonl"
    store.write_text('{"load": "half', "utf-8")
    run(store, LOADS[:1])
    simulator.loads.clear()
    run(store, LOADS[:1])
    assert simulator.loads == []


def test_a_file_whose_requests_changed_is_another_cell(simulator: Simulator, tmp_path: Path) -> None:
    store, file = tmp_path / "cells.jsonl", tmp_path / "trace.jsonl"
    for length in (50, 60, 60):
        file.write_text(f'{{"input_length": {length}, "output_length": 5}}\n' * 1000, "utf-8")
        run(store, [parse(f"concurrency=2 file={file}")])
    assert len(simulator.loads) == 2
    assert store.stat().st_size < 1000, "the requests of a file are not written"


def test_another_engine_or_version_has_another_folder() -> None:
    first = (TUNED, 1000, FITTED, "0.32.0")
    others = [
        (TUNED, 999, FITTED, "0.32.0"),
        (TUNED.with_fields(max_num_seqs=64), 1000, FITTED, "0.32.0"),
        (TUNED, 1000, fitted("gemma-4-e2b-it"), "0.32.0"),
        (TUNED, 1000, FITTED, "0.33.0"),
    ]
    assert len({sweep.key(*each) for each in (first, *others)}) == 5
    assert sweep.key(*first) == sweep.key(*first)


REFUSED = [
    (
        "concurrency=1 prompt=20000 answer=10",
        14_693,
        "The load has requests of 20,010 tokens, prompt and answer, and engine.max_model_len is 16,384: send "
        "shorter ones, or raise it to 20,010 or more.",
    ),
    (
        "concurrency=1 prompt=4000 answer=96",
        200,
        "The load has requests of 4,096 tokens, and the KV cache has 3,184 for all: send shorter ones, or "
        "take a larger slice.",
    ),
]


@pytest.mark.parametrize(("text", "pages", "sentence"), REFUSED)
def test_a_load_that_the_engine_cannot_serve_is_refused(text: str, pages: int, sentence: str) -> None:
    with pytest.raises(ValueError) as refusal:
        sweep.check(TUNED, [parse(text)], pages)
    assert str(refusal.value) == sentence


IMAGES = [
    (
        {},
        "images=5 prompt=100 answer=10",
        "The load has images=5, and a request of this engine takes 4: send fewer, or raise "
        "engine.limit_mm_per_prompt.image.",
    ),
    (
        {"limit_mm_per_prompt": {"image": 0}, "vision_programs": None},
        "images=1 prompt=100 answer=10",
        "The load has images=1, and a request of this engine takes 0: send fewer, or raise "
        "engine.limit_mm_per_prompt.image.",
    ),
    (
        {"vision_programs": None},
        "images=1 prompt=100 answer=10",
        "The load has images, and no proof has a vision program of this engine: choose a phase with "
        "vision_programs and its own image_tokens, or leave images out.",
    ),
    (
        {},
        "images=2 prompt=15811 answer=10",
        "The load has requests of 16,385 tokens, prompt and answer, and engine.max_model_len is 16,384: send "
        "shorter ones, or raise it to 16,385 or more.",
    ),
]


@pytest.mark.parametrize(("engine", "text", "sentence"), IMAGES)
def test_images_that_the_engine_or_the_simulation_cannot_take_are_refused(
    engine: dict[str, object], text: str, sentence: str
) -> None:
    candidate = from_phase("tuned", phase="tuned", engine=engine).proved
    with pytest.raises(ValueError) as refusal:
        sweep.check(candidate, [parse(f"concurrency=1 {text}")], 14_693)
    assert str(refusal.value) == sentence


def test_a_load_with_as_many_images_as_fit_is_accepted() -> None:
    candidate = from_phase("tuned", phase="tuned").proved
    sweep.check(candidate, [parse("concurrency=1 images=4 prompt=15246 answer=10")], 14_693)


def test_ladders_are_those_of_a_load_test() -> None:
    loads = command.ladder_loads(FIXED["grid"])
    assert len(loads) == 144
    assert (max(load.concurrency or 0 for load in loads), loads[0].requests) == (2048, 8)


MISTAKES = [
    (["--load", "prompt=1"], "LOAD lacks answer"),
    (["--phase", "tuned", "--set", "speculative={method: ngram, num_speculative_tokens: 3}"], "speculative"),
    (["--ladder", "seed", "--slo", "first=2"], "An SLO needs a load with a rate"),
    (
        ["--load", "rate=1 prompt=9 answer=9", "--slo", "fast"],
        "'fast' in the SLO is neither first nor between",
    ),
    (["--phase", "tuned", "--model", "gemma-4-12b-it", "--accelerator", "v6e-4"], "torchax"),
]


@pytest.mark.parametrize(("words", "sentence"), MISTAKES)
def test_a_mistake_ends_the_command_before_a_simulation(
    words: list[str], sentence: str, simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["simulate", *words]) == 2
    assert sentence in capsys.readouterr().err
    assert simulator.loads == []


@pytest.mark.parametrize(
    ("words", "called", "sentence"),
    [
        (["simulate"], (sweep, "sweep"), "The same command goes on from the last finished cell."),
        (["fit"], (fit_report, "published"), "Nothing is kept."),
    ],
)
def test_an_interrupted_command_says_what_is_kept(
    words: list[str],
    called: tuple[ModuleType, str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(*called, interrupted)
    monkeypatch.setattr(command, "version", lambda: "0.32.0")
    assert command.main(words) == 130
    assert capsys.readouterr().err == f"\nInterrupted. {sentence}\n"


def test_an_interrupt_reaches_only_the_process_that_ends_the_others() -> None:
    before = signal.getsignal(signal.SIGINT)
    with sweep.pool(1) as processes:
        assert processes.apply(signal.getsignal, (signal.SIGINT,)) == signal.SIG_IGN
        assert signal.getsignal(signal.SIGINT) == before


def test_a_single_load_keeps_the_charts_of_a_ladder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load = parse("concurrency=2 prompt=8 answer=3")
    cell = result(
        load, simulate(load, OneByOne(4), a_second_each, asynchronous=False, token_seconds=0.0), FITTED
    )
    monkeypatch.setattr(sweep, "sweep", lambda *arguments: [cell])
    monkeypatch.setattr(command, "FOLDER", tmp_path)
    monkeypatch.setattr(command, "version", lambda: "0.32.0")
    assert command.main(["simulate", "--load", "concurrency=2 prompt=8 answer=3"]) == 0
    assert "simulated, not measured" in (printed := capsys.readouterr().out) and "Charts" not in printed
    assert list(tmp_path.iterdir()) == []
