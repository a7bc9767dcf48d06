"""The fit against cells whose constants are known, because a simulation made their numbers."""

from dataclasses import replace

import pytest

from planner.constants import START, Constants
from planner.fit import Record, fit, leave_one_out, record
from planner.measured_cells import E2B, MeasuredCell
from tests.unit.planner.steps import OneByOne

TRUE = Constants(efficiency=0.37, step_seconds=0.0031, request_seconds=0.0113)
SLICE = E2B.candidate.accelerator

LOADS = [(128, 12, 1, 4), (2000, 8, 4, 8), (4000, 6, 8, 16), (300, 16, 8, 8)]
"""Prompt, answer, concurrency and number of requests."""


def records(constants: Constants) -> list[Record]:
    """Records of cells whose measured numbers are those of these constants."""
    found = list[Record]()
    for prompt, answer, concurrency, requests in LOADS:
        cell = MeasuredCell(prompt, answer, concurrency, requests, 1.0, 1.0, 1.0)
        steps = record(E2B.candidate, cell, OneByOne(8), START)
        numbers = steps.numbers(SLICE, constants)
        measured = replace(
            cell,
            output_tokens_per_second=numbers["tokens/s"],
            between_ms=numbers["between"],
            first_ms=numbers["first"],
        )
        found.append(replace(steps, cell=measured))
    return found


def test_a_fit_finds_the_constants_and_predicts_the_cell_that_it_has_not_seen() -> None:
    cells = records(TRUE)
    assert vars(fit(cells, SLICE, START)) == pytest.approx(vars(TRUE), rel=0.03)
    for errors in leave_one_out(cells, SLICE, START):
        assert all(abs(error) < 0.03 for error in errors.values())


def test_a_cell_with_answers_of_one_token_is_priced() -> None:
    cell = MeasuredCell(128, 1, 1, 4, 10.0, None, 50.0)
    errors = record(E2B.candidate, cell, OneByOne(8), START).errors(SLICE, TRUE)
    assert set(errors) == {"tokens/s", "first"}


def test_a_fit_changes_only_what_is_free() -> None:
    fitted = fit(records(TRUE), SLICE, START, ["step_seconds"])
    assert (fitted.efficiency, fitted.request_seconds) == (START.efficiency, START.request_seconds)
    assert fitted.step_seconds != START.step_seconds


def test_a_single_odd_number_moves_a_fit_little() -> None:
    cells = records(TRUE)
    assert cells[0].cell.first_ms is not None
    odd = replace(cells[0], cell=replace(cells[0].cell, first_ms=10 * cells[0].cell.first_ms))
    assert vars(fit([odd, *cells[1:]], SLICE, START)) == pytest.approx(vars(TRUE), rel=0.1)


def test_a_record_has_the_times_of_the_clock() -> None:
    """Steps that are priced again give what the simulation gave with the same constants."""
    steps = record(E2B.candidate, E2B.cells[0], OneByOne(8), TRUE)
    again = record(E2B.candidate, E2B.cells[0], OneByOne(8), START)
    assert steps.numbers(SLICE, TRUE) == pytest.approx(again.numbers(SLICE, TRUE))
