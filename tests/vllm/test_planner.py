"""The planner with vLLM's own scheduler: what a load test shows, and the fitted constants."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from planner.fit import TOLERANCES
from tests.vllm import oracle


@cache
def answers() -> dict[str, Any]:
    """One process of the server's Python, for all tests."""
    return json.loads(oracle.run(Path(__file__).parent / "programs" / "planner_server.py"))


def test_a_long_prompt_is_computed_in_chunks() -> None:
    assert answers()["chunked"]["step_tokens"] == [4096, 4096, 10_000 - 2 * 4096, 1]


def test_every_request_gets_its_whole_answer() -> None:
    plain = answers()["plain"]
    assert sum(plain["step_tokens"]) == 16 * (1000 + 100 - 1)
    # The prompt that is tokenized first begins by itself. A step of 4,096 tokens then begins five of 1,000.
    assert (plain["preemptions"], plain["waiting"]["most"]) == (0, 2)


def test_a_shared_beginning_is_computed_once_and_only_with_the_prefix_cache() -> None:
    with_cache, without = answers()["prefix"], answers()["no prefix cache"]
    page = 64
    # The first step has no page to share yet.
    shared = 900 // page * page
    assert sum(without["step_tokens"]) == 16 * 1099
    assert sum(with_cache["step_tokens"]) <= 16 * 1099 - 8 * shared
    assert with_cache["time_to_first_token_ms"]["p50"] < without["time_to_first_token_ms"]["p50"]


def test_too_few_pages_preempt_and_too_few_slots_wait() -> None:
    few_pages, few_slots = answers()["few pages"], answers()["few slots"]
    # Six prompts take 96 of 99 pages, and their answers 12 more.
    assert few_pages["preemptions"] > 0
    assert sum(few_pages["step_tokens"]) > 16 * 1099, "preempted requests are computed again"
    assert few_slots["waiting"]["most"] == 4
    assert few_slots["preemptions"] == 0


@pytest.mark.parametrize("name", ["e2b", "26b"])
def test_the_committed_constants_are_those_of_a_new_fit(name: str) -> None:
    found = answers()[name]
    assert found["fitted"] == pytest.approx(found["committed"], rel=0.01)


SATURATED = {"16 x 32,000", "32 x 16,000"}
"""Loads whose two servers differ by more than the tolerances."""

OUTSIDE = {
    "e2b": {
        "tokens/s": {"32 x 16,000"},
        "between": SATURATED,
        "first": SATURATED | {"64 x 8,192"},
    },
    "e2b again": {
        "tokens/s": {"40 x 16,000"},
        "between": SATURATED,
        "first": SATURATED | {"64 x 8,192"},
    },
    "26b": {"tokens/s": set[str]()},
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_errors_of_the_measured_cells(name: str) -> None:
    """Cells within the tolerances, and those that docs/planner.md says are not."""
    errors = answers()[name]["errors"]
    assert len(errors) == {"e2b": 13, "e2b again": 15, "26b": 1}[name]
    for number, outside in OUTSIDE[name].items():
        # Of loads that were repeated, the source has only the throughput.
        cells = [cell for cell in errors if number == "tokens/s" or not cell.endswith(" again")]
        found = {cell for cell in cells if abs(errors[cell][number]) > TOLERANCES[number]}
        assert found == outside, number


def test_blocks_of_the_attention_kernel() -> None:
    for ours, theirs in answers()["blocks"]:
        assert ours == theirs
