"""Committed simulations: their key, their file, and what each stack file of this repository needs."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import pytest

from config.selection import from_phase, from_stack
from config.stack_file import read as read_stack
from config.targets import FoundationTarget
from config.traffic import simulation
from config.traffic.expected import ExpectedLoad
from config.traffic.simulation import Cell, Simulation, Times
from planner import constants
from serving.memory.budget import budget
from serving.messages.finding import VERSION

REPOSITORY = Path(__file__).resolve().parents[4]
TUNED = from_phase("tuned", phase="tuned").candidate
EXPECTED = ExpectedLoad(load="rate=20 prompt=2048 answer=128", slo="first=2000 between=60")


def expected(load: str, slo: str | None = EXPECTED.slo) -> ExpectedLoad:
    return ExpectedLoad(load=load, slo=slo)


def test_the_key_changes_with_everything_on_which_the_result_depends() -> None:
    e2b = from_phase("e2b", phase="tuned", model_name="gemma-4-e2b-it").candidate
    eight = from_phase("eight", phase="tuned", accelerator_name="v6e-8").candidate
    keys = [
        simulation.key(TUNED, 1000, EXPECTED),
        simulation.key(TUNED, 999, EXPECTED),
        simulation.key(TUNED.with_fields(max_num_seqs=64), 1000, EXPECTED),
        simulation.key(e2b, 1000, EXPECTED),
        simulation.key(eight, 1000, EXPECTED),
        simulation.key(TUNED, 1000, expected("rate=21 prompt=2048 answer=128")),
        simulation.key(TUNED, 1000, expected("rate=20 prompt=2048 answer=128 prefix=0.5")),
        simulation.key(TUNED, 1000, expected(EXPECTED.load, "first=2000")),
        simulation.key(TUNED, 1000, expected(EXPECTED.load, None)),
    ]
    assert len(set(keys)) == len(keys)


def test_the_key_is_that_of_the_meaning_of_the_words() -> None:
    other = expected("answer=128   prompt=2048 rate=20.0 burstiness=1", "between=60 first=2000")
    assert simulation.key(TUNED, 1000, other) == simulation.key(TUNED, 1000, EXPECTED)


def test_another_version_of_the_planner_has_other_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    before = simulation.key(TUNED, 1000, EXPECTED)
    monkeypatch.setattr(simulation, "PLANNER_VERSION", simulation.PLANNER_VERSION + 1)
    assert simulation.key(TUNED, 1000, EXPECTED) != before


def test_the_version_rises_with_the_constants() -> None:
    """Plans do not import planner/, so the version stands for its constants."""
    names = ("gemma-4-e2b-it", "gemma-4-26b-a4b-it", "another")
    text = json.dumps(
        [constants.TOKEN_SECONDS, *(asdict(constants.fitted(name).constants) for name in names)]
    )
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    assert (simulation.PLANNER_VERSION, digest) == (3, "99e89967"), (
        "raise PLANNER_VERSION in config/traffic/simulation.py with the constants, and simulate the "
        "expected loads of all stacks again"
    )


RECORD = Simulation(
    key="0" * 16,
    title="a model on a slice",
    load=EXPECTED.load,
    slo=EXPECTED.slo,
    vllm="0.32.0",
    constants={"efficiency": 0.5},
    needed=2,
    cells=(
        Cell(
            slices=2,
            requests_per_second=10.0,
            output_tokens_per_second=1280.0,
            time_to_first_token_ms=Times(p50=300.0, p95=900.0),
            time_between_tokens_ms=Times(p50=20.0, p95=40.0),
            limited_by="HBM",
        ),
    ),
)


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert simulation.read(RECORD.key, tmp_path) is None
    assert simulation.write(RECORD, tmp_path / "new").name == f"{RECORD.key}.json"
    assert simulation.read(RECORD.key, tmp_path / "new") == RECORD


BROKEN = [
    (
        "{",
        "is not a valid simulation (1 fields are wrong): delete it, or write it again with `make simulate`.",
    ),
    (
        RECORD.model_copy(update={"key": "f" * 16}).model_dump_json(),
        f"is the simulation {'f' * 16}: delete it, or write it again with `make simulate`.",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), BROKEN)
def test_a_broken_file_is_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / f"{RECORD.key}.json").write_text(text)
    with pytest.raises(ValueError) as refusal:
        simulation.read(RECORD.key, tmp_path)
    assert str(refusal.value) == f"The file {RECORD.key}.json {sentence}"


def names_of_stacks() -> dict[str, str]:
    """Keys of the expected loads in this repository's stack files -> the stack."""
    names: dict[str, str] = {}
    for path in sorted(REPOSITORY.glob("Pulumi.*.yaml")):
        stack = path.name.split(".")[1]
        settings = read_stack(stack, REPOSITORY)
        if settings.expected_load is None or isinstance(settings.target, FoundationTarget):
            continue
        proved = from_stack(stack, REPOSITORY).proved
        names[simulation.key(proved, budget(proved).pool.pages, settings.expected_load)] = stack
    return names


def test_every_expected_load_of_a_stack_file_is_simulated_and_no_file_is_left_over() -> None:
    files = {path.stem for path in simulation.FOLDER.glob("*.json")}
    assert files == set(names_of_stacks()), "run `make simulate STACK=…` for each, and delete the others"
    for name in files:
        record = simulation.read(name)
        assert record is not None and f"vllm-tpu {record.vllm}".startswith(VERSION)
