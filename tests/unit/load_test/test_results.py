"""Lines that a user reads while a load test runs."""

import pytest

from load_test.ladders import FIXED
from load_test.results import Results, duration
from tests.unit.load_test.cells import rejected, result

CELLS = FIXED["local"].cells


def begun(**fields: object) -> tuple[Results, list[str]]:
    results = Results(cells=CELLS)
    event = {
        "event": "run",
        "run": "load-tests/ab12cd34/T",
        "continued": False,
        "cells": [],
        "baseline": None,
    }
    return results, results.take({**event, **fields})


def test_each_cell_is_one_line_with_the_estimated_rest() -> None:
    results, lines = begun()
    assert lines == ["   load-tests/ab12cd34/T has 3 of 3 cells"]
    assert results.take({"event": "begin", "cell": "c1-p128-o16"}) == []
    assert results.take({"event": "cell", "result": result(1)}) == [
        "     1/3  1 at once x 128 tokens: first token 100 ms, 1,234 tokens/s, 10 s, about 20 s left"
    ]
    results.take({"event": "cell", "result": result(2)})
    (line,) = results.take({"event": "cell", "result": result(4, failures=3, time_to_first_token_ms=None)})
    assert line == "     3/3  4 at once x 128 tokens: no answer, 1,234 tokens/s, 3 failed, 10 s, the last one"


def test_a_rejected_cell_says_why_and_is_not_measured() -> None:
    results, _ = begun()
    (line,) = results.take({"event": "cell", "result": rejected(1)})
    assert line == f"     1/3  {rejected(1)['sentence']}"
    assert results.in_order == [] and len(results.rejected) == 1
    # A retry of the Job measures it again.
    results.take({"event": "cell", "result": result(1)})
    assert len(results.in_order) == 1 and not results.rejected


def test_a_continued_run_counts_the_cells_that_it_has() -> None:
    results, lines = begun(continued=True, cells=[result(1), result(4)])
    assert lines == ["   load-tests/ab12cd34/T goes on with 1 of 3 cells"]
    results.take({"event": "cell", "result": result(2)})
    assert [cell["concurrency"] for cell in results.in_order] == [1, 2, 4]


def test_a_log_that_is_read_again_prints_nothing_twice() -> None:
    results, _ = begun()
    event = {"event": "cell", "result": result(1)}
    assert results.take(event) and not results.take(event)


@pytest.mark.parametrize(("seconds", "text"), [(5, "5 s"), (99, "99 s"), (600, "10 min"), (9000, "2.5 h")])
def test_a_duration_has_the_unit_that_fits(seconds: float, text: str) -> None:
    assert duration(seconds) == text
