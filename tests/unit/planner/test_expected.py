"""The simulation of an expected load: which numbers of slices it has, and what becomes a refusal."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from config.selection import Selection, from_phase
from config.settings import Settings
from config.traffic import simulation
from config.traffic.expected import ExpectedLoad
from config.traffic.load import Load
from config.traffic.simulation import Simulation
from planner import __main__ as command
from planner import report
from planner.constants import fitted
from planner.expected import simulated
from serving.compilation.candidate import Candidate

TUNED = from_phase("tuned", phase="tuned").candidate
FITTED = fitted(TUNED.model.name)
LOAD = "rate=20 prompt=2048 answer=128"
GKE = {"kind": "gke", "project": "acme-llm", "zone": "us-east5-b", "capacity": {"kind": "on-demand"}}
EXPECTED = ExpectedLoad(load=LOAD, slo="first=200")


def queue(load: Load) -> Mapping[str, Any]:
    """A server that answers 9 requests a second: the waiting time grows as its rate comes near."""
    assert load.rate is not None
    first = 100 / (1 - load.rate / 9) if load.rate < 9 else 60_000.0
    times = {"p50": first / 2, "p95": first, "p99": 2 * first}
    return {
        "rate": load.rate,
        "requests_per_second": min(load.rate, 9.0),
        "output_tokens_per_second": 128 * min(load.rate, 9.0),
        "time_to_first_token_ms": times,
        "time_between_tokens_ms": None,
        "limited_by": "HBM",
    }


def record(expected: ExpectedLoad, replicas: int = 2, candidate: Candidate = TUNED) -> Simulation:
    return simulated(candidate, 14_694, FITTED, "0.32.0", expected, replicas, queue)


def test_the_needed_slices_and_those_of_the_stack_are_simulated() -> None:
    found = record(EXPECTED)
    assert found.needed == 5, "4 requests a second each: 100 / (1 - 4 / 9) is 180 ms"
    assert [(cell.slices, cell.requests_per_second) for cell in found.cells] == [(2, 9.0), (5, 4.0)]
    assert found.cells[1].time_to_first_token_ms.p95 == 180.0
    assert found.key == simulation.key(TUNED, 14_694, EXPECTED)


def test_enough_servers_are_simulated_once() -> None:
    assert [cell.slices for cell in record(EXPECTED, replicas=5).cells] == [5]


def test_without_an_slo_only_the_stack_s_own_number_is_simulated() -> None:
    found = record(ExpectedLoad(load=LOAD), replicas=3)
    assert (found.needed, [cell.slices for cell in found.cells]) == (None, [3])


REFUSED = [
    (TUNED, ExpectedLoad(load=LOAD, slo="first=50"), "Even 1,024 slices do not keep the SLO"),
    (TUNED, ExpectedLoad(load="rate=1 prompt=20000 answer=9"), "The load has requests of 20,009 tokens"),
    (
        TUNED.with_fields(enable_expert_parallel=True),
        EXPECTED,
        "A simulation with engine.enable_expert_parallel was asked for",
    ),
]


@pytest.mark.parametrize(("candidate", "expected", "sentence"), REFUSED)
def test_what_has_no_answer_keeps_the_sentence_of_the_planner(
    candidate: Candidate, expected: ExpectedLoad, sentence: str
) -> None:
    found = record(expected, candidate=candidate)
    assert found.refusal is not None and found.refusal.startswith(sentence)
    assert (found.needed, found.cells) == (None, ())


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A stack that expects a load, with the queue in place of a simulation."""
    settings = Settings.parse({"target": GKE, "replicas": 2, "expected_load": EXPECTED.model_dump()})
    selection = Selection("mine", TUNED, settings)
    monkeypatch.setattr(command, "from_options", lambda options, folder: [selection])
    monkeypatch.setattr(command, "version", lambda: "0.32.0")
    monkeypatch.setattr(command.Simulated, "result", lambda self, load: queue(load))
    monkeypatch.setattr(simulation.write, "__defaults__", (tmp_path / "expected",))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "expected"


def test_the_command_writes_the_file_that_plans_read(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["simulate", "--stack", "mine"]) == 0
    (file,) = stack.iterdir()
    assert simulation.read(file.stem, stack) is not None
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        "mine: simulated, not measured: 20 requests a second need 5 x v6e-4, replicas is 2; first token "
        "60,000 "
        "ms at p95"
    )
    assert lines[1].endswith("set replicas to 5, or raise the limits of expected_load.slo.")
    assert lines[2] == f"Commit expected/{file.name}, so that `pulumi preview` shows it."


def test_a_load_on_the_command_line_goes_before_the_stack_s(
    stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["simulate", "--load", "rate=1 prompt=9 answer=0"]) == 2
    assert "answer=0 is no whole number" in capsys.readouterr().err
    assert not stack.exists()


def test_an_slo_on_the_command_line_is_that_of_the_stack_s_load(
    stack: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(report, "table", lambda title, results: title)
    assert command.main(["simulate", "--stack", "mine", "--slo", "first=400"]) == 0
    assert "3 x v6e-4 keep the SLO (simulated): 6.67 requests" in capsys.readouterr().out
    assert not stack.exists(), "plans read simulations of the stack's own SLO"
