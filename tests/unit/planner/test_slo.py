"""Slices for an objective: the smallest number, its price, and what no number keeps."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from config.traffic.load import Length, Load, requests_for_rate
from config.traffic.load_file import Recording, Row
from config.traffic.objective import Objective
from planner.slo import lines, plan
from serving.hardware.accelerators import accelerator

TODAY = date(2026, 11, 30)
LENGTH = Length("fixed", 100, 100)


def load(rate: float | None, concurrency: int | None = None) -> Load:
    requests = requests_for_rate(rate) if rate else 8
    return Load(LENGTH, LENGTH, requests, rate=rate, concurrency=concurrency)


def queue(load: Load) -> Mapping[str, Any]:
    """A server that answers 5 requests a second: the waiting time grows as its rate comes near."""
    assert load.rate is not None
    first = 100 / (1 - load.rate / 5) if load.rate < 5 else 1e6
    return {
        "rate": load.rate,
        "output_tokens_per_second": 100 * min(load.rate, 5),
        "time_to_first_token_ms": {"p95": first},
        "time_between_tokens_ms": {"p95": 20.0},
        "limited_by": "HBM",
    }


@pytest.mark.parametrize(("rate", "slices"), [(1.0, 1), (2.5, 1), (2.6, 2), (5.0, 2), (25.0, 10), (26.0, 11)])
def test_the_smallest_number_of_slices(rate: float, slices: int) -> None:
    assert plan(load(rate), Objective(first=200), queue).slices == slices


def test_a_longer_simulation_for_a_higher_rate() -> None:
    simulated = list[int]()

    def noted(load: Load) -> Mapping[str, Any]:
        simulated.append(load.requests)
        return queue(load)

    plan(load(5.0), Objective(first=200), noted)
    assert simulated == [600, 300], "120 seconds of 5 and of 2.5 requests a second"


def test_an_objective_that_no_number_keeps_is_refused() -> None:
    with pytest.raises(ValueError) as refusal:
        plan(load(1.0), Objective(between=10), queue)
    assert "between is 20 ms at p95, and 10 is the limit; raise the limit" in str(refusal.value)


def test_a_load_without_a_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="An SLO needs a load with a rate"):
        plan(load(None, concurrency=4), Objective(first=1), queue)


def test_a_number_of_requests_is_refused() -> None:
    with pytest.raises(ValueError) as refusal:
        plan(replace(load(5.0), requests=50), Objective(first=200), queue)
    assert str(refusal.value) == (
        "requests=50 was asked for with an SLO, for which each slice is simulated for 120 seconds of "
        "arrivals: leave requests out of LOAD."
    )


def test_a_trace_is_refused_and_a_table_is_not() -> None:
    rows = (Row(100, 100), Row(50, 20))
    with pytest.raises(ValueError, match="a trace has its own"):
        plan(replace(load(1.0), recording=Recording(rows, in_order=True)), Objective(first=200), queue)
    table = replace(load(2.6), recording=Recording(rows, in_order=False))
    assert plan(table, Objective(first=200), queue).slices == 2


def test_the_price_is_that_of_all_slices() -> None:
    planned = plan(load(5.0), Objective(first=200), queue)
    text = "\n".join(lines(planned, accelerator("v6e-4"), "us-east5", "on-demand", TODAY))
    assert "2 x v6e-4 keep the SLO (simulated): 2.50 requests and 250 output tokens a second each" in text
    # 2 slices x 4 chips x 2.70 dollars an hour; 500 tokens a second.
    assert (
        f"${2 * 4 * 2.70 * 730:,.0f} a month, ${2 * 4 * 2.70 / (500 * 3600) * 1e6:.2f} for a million" in text
    )


def test_a_slice_without_a_price_says_why() -> None:
    planned = plan(load(1.0), Objective(first=200), queue)
    text = "\n".join(lines(planned, accelerator("v6e-4"), "europe-west9", "on-demand", TODAY))
    assert "They have no price: The on-demand price of v6e in europe-west9 was asked for" in text
