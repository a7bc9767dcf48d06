"""Objectives: the words of an SLO, and the limits that a result exceeds."""

from typing import Any

import pytest

from config.traffic.objective import Objective, parse

REFUSED = [
    ("", "The SLO has no limit"),
    ("first", "'first' in the SLO is no limit above 0 and below 10,000,000 milliseconds: write for example"),
    ("last=3", "'last=3' in the SLO is neither first nor between, each once"),
    ("first=3 first=4", "'first=4' in the SLO is neither first nor between, each once"),
    ("first=0", "'first=0' in the SLO is no limit above 0"),
    ("between=60ms", "'between=60ms' in the SLO is no limit"),
    ("first=99999999", "'first=99999999' in the SLO is no limit above 0 and below 10,000,000"),
    ("first=-3", "'first=-3' in the SLO is no limit"),
]


@pytest.mark.parametrize(("text", "sentence"), REFUSED)
def test_a_mistake_in_an_objective_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse(text)


@pytest.mark.parametrize(
    ("text", "objective"),
    [
        ("first=2000 between=50", Objective(2000, 50)),
        ("between=12.5", Objective(between=12.5)),
        ("first=300", Objective(300)),
    ],
)
def test_words_of_an_objective(text: str, objective: Objective) -> None:
    assert parse(text) == objective


def test_only_limits_that_are_set_can_be_missed() -> None:
    result: dict[str, Any] = {
        "time_to_first_token_ms": {"p95": 1500.0},
        "time_between_tokens_ms": {"p95": 40.0},
    }
    assert Objective(1500, 40).missed(result) == []
    assert Objective(between=39.5).missed(result) == ["between is 40 ms at p95, and 39.5 is the limit"]
    assert len(Objective(1, 1).missed(result)) == 2
    assert Objective(between=1).missed({**result, "time_between_tokens_ms": None}) == [], "one token each"
