"""The answer of a simulation: percentiles, limiting resource, knee, and the table that says simulated."""

from typing import Any

import pytest

from config.traffic.load import Length, Load, parse
from config.traffic.load_file import Recording, Row
from load_test import charts
from planner.answer import KNEE, knees, name, percentiles, result
from planner.clock import simulate
from planner.constants import fitted
from planner.report import table
from tests.unit.planner.steps import OneByOne, a_second_each

E2B = fitted("gemma-4-e2b-it")


def simulated(concurrency: int, slots: int = 4) -> dict[str, Any]:
    load = Load(Length("fixed", 8, 8), Length("fixed", 3, 3), 2 * concurrency, concurrency=concurrency)
    trace = simulate(load, OneByOne(slots), a_second_each, asynchronous=False, token_seconds=0.0)
    return result(load, trace, E2B)


def test_percentiles_are_linear_between_values() -> None:
    assert percentiles([3.0, 1.0, 2.0]) == pytest.approx({"p50": 2.0, "p95": 2.9, "p99": 2.98})
    assert percentiles([7.0]) == {"p50": 7.0, "p95": 7.0, "p99": 7.0}


def test_a_result_counted_by_hand() -> None:
    one = simulated(4)
    assert one["state"] == "simulated"
    assert one["time_to_first_token_ms"]["p99"] == 1000
    assert one["time_between_tokens_ms"]["p50"] == 1000
    assert one["whole_request_ms"]["p50"] == 3000
    assert (one["seconds"], one["output_tokens_per_second"]) == (6.0, 8 * 3 / 6)
    assert (one["limited_by"], one["time_shares"]["arithmetic"]) == ("arithmetic", 0.75)
    assert one["requests_in_a_step"] == 4 and one["kv_cache_share"]["most"] == 1.0


def test_requests_beyond_the_slots_wait_in_the_answer() -> None:
    crowded = simulated(8)
    assert crowded["waiting"]["most"] == 4
    assert crowded["time_to_first_token_ms"]["p99"] > 1000
    assert crowded["output_tokens_per_second"] == simulated(4)["output_tokens_per_second"]


def test_the_knee_is_where_throughput_stops_to_grow() -> None:
    ladder = [simulated(concurrency) for concurrency in (1, 2, 4, 8, 16)]
    assert knees(ladder) == {8: 4}
    assert knees(ladder[:2]) == {}
    assert KNEE == 0.9


def test_a_table_says_that_it_is_simulated_and_how_far_it_can_be_off() -> None:
    text = table("an engine", [simulated(concurrency) for concurrency in (1, 2, 4)])
    assert text.startswith("an engine: simulated, not measured")
    assert "With prompts of 8 tokens, 4 at once reach 90% of the highest throughput." in text
    assert "throughput by 12%" in text and "each left out" in text


def test_charts_of_a_load_test_take_the_results() -> None:
    drawn = charts.charts("an engine, simulated", [simulated(1), simulated(4)], None)
    assert set(drawn) == {"time-to-first-token.svg", "throughput.svg"}
    assert all("an engine, simulated" in text and "polyline" in text for text in drawn.values())


def test_names_of_cells_are_those_of_a_load_test() -> None:
    assert name(parse("concurrency=64 prompt=2048 answer=128")) == "c64-p2048-o128"
    assert name(parse("rate=0.5 prompt=9 answer=9")) == "r0.5-p9-o9"


def test_lengths_that_are_drawn_are_shown_by_their_medians() -> None:
    load = parse("concurrency=2 prompt=lognormal:8:0.5:20 answer=uniform:2:8")
    trace = simulate(load, OneByOne(4), a_second_each, asynchronous=False, token_seconds=0.0)
    one = result(load, trace, E2B)
    assert (one["cell"], one["prompt_tokens"], one["output_tokens"]) == ("c2-p8-o5", 8, 5)


def test_a_trace_with_its_own_times_has_a_name_and_a_row() -> None:
    rows = tuple(Row(8, 3, at) for at in (0.0, 0.5, 9.0))
    eight, three = Length("fixed", 8, 8), Length("fixed", 3, 3)
    load = Load(eight, three, 3, recording=Recording(rows, in_order=True))
    trace = simulate(load, OneByOne(4), a_second_each, asynchronous=False, token_seconds=0.0)
    assert [times.sent for times in trace.requests.values()] == [0.0, 0.5, 9.0]
    one = result(load, trace, E2B)
    assert one["cell"] == "trace-p8-o3"
    assert "trace" in table("an engine", [one])


def test_a_model_without_a_cell_says_so() -> None:
    assert "this model has no cell" in fitted("gemma-4-31b-it").basis
    assert fitted("gemma-4-31b-it").constants == E2B.constants
