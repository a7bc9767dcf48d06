"""The load that a stack expects: which ones a stack file may name, and on which targets."""

from typing import Any

import pytest

from config.checks import problems
from config.settings import Settings
from config.traffic.load import Length
from config.traffic.objective import Objective

GKE = {"kind": "gke", "project": "acme-llm", "zone": "us-east5-b", "capacity": {"kind": "on-demand"}}
LOCAL = {"kind": "local"}
FOUNDATION = {
    "kind": "foundation",
    "project": "acme-llm",
    "region": "us-east5",
    "environments": {"prod": "10.64.0.0/18"},
}
LOAD = {"load": "rate=20 prompt=2048 answer=128"}


def parsed(expected: dict[str, Any], target: dict[str, Any] = GKE) -> Settings:
    return Settings.parse({"target": target, "expected_load": expected})


def test_words_become_a_load_and_an_objective() -> None:
    expected = parsed({**LOAD, "slo": "first=2000 between=60"}).expected_load
    assert expected is not None
    assert (expected.requests.rate, expected.requests.prompt) == (20.0, Length("fixed", 2048, 2048))
    assert expected.objective == Objective(2000, 60)


def test_without_an_slo_there_is_no_objective() -> None:
    expected = parsed(LOAD).expected_load
    assert expected is not None and expected.objective is None


MISTAKES = [
    ({}, "expected_load.load is not set and has no default; set it."),
    (
        {"load": "fast"},
        "expected_load.load: 'fast' in LOAD is none of concurrency, rate, ",
    ),
    (
        {"load": "concurrency=64 prompt=2048 answer=128"},
        "expected_load.load: the load of a stack is divided among its servers, which needs a rate; write "
        "rate=REQUESTS_PER_SECOND in place of concurrency.",
    ),
    (
        {"load": "rate=2 file=lengths.csv"},
        "expected_load.load: the load of a stack names a file, which is not part of the stack file; describe "
        "its lengths with uniform or lognormal.",
    ),
    (
        {"load": "rate=2 prompt=9 answer=9 requests=50"},
        "expected_load.load: the load of a stack names a number of requests, and each server is simulated "
        "for 120 seconds of them; leave requests out.",
    ),
    (
        {**LOAD, "slo": "last=3"},
        "expected_load.slo: 'last=3' in the SLO is neither first nor between, each once: write for example "
        "'first=2000 between=60', in milliseconds.",
    ),
    (
        {**LOAD, "slow": "first=3"},
        "expected_load.slow is not a name here; the nearest is slo; correct or remove it.",
    ),
]


@pytest.mark.parametrize(("expected", "sentence"), MISTAKES)
def test_a_mistake_is_one_sentence(expected: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError) as refusal:
        parsed(expected)
    assert str(refusal.value).startswith(sentence) and "\n" not in str(refusal.value)
    assert not str(refusal.value).endswith("..")


REFUSED = [
    (
        FOUNDATION,
        "expected_load is set, and target.kind is foundation, which serves nothing; set it in the files "
        "of the "
        "stacks that serve.",
    ),
    (
        LOCAL,
        "expected_load is set, and target.kind is local, whose processors do the work of a TPU at a speed "
        "that "
        "nothing simulates; remove it, or run `make load-test`.",
    ),
]


@pytest.mark.parametrize(("target", "sentence"), REFUSED)
def test_a_target_that_answers_no_such_load_refuses_it(target: dict[str, Any], sentence: str) -> None:
    assert sentence in list(problems(parsed(LOAD, target), placeholders=True))
    assert not any("expected_load" in each for each in problems(parsed(LOAD), placeholders=True))
