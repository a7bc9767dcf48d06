"""Files of measurements: a load test's run, a benchmark's result, and files that are neither."""

import json
from pathlib import Path
from typing import Any

import pytest

from planner.measured_cells import MeasuredCell
from planner.measured_files import read

CELL: dict[str, Any] = {
    "cell": "c4-p100-o10",
    "state": "measured",
    "concurrency": 4,
    "prompt_tokens": 100,
    "output_tokens": 10,
    "requests": 8,
    "failures": 0,
    "output_tokens_per_second": 123.4,
    "time_between_tokens_ms": {"p50": 5.0, "p95": 6.0},
    "time_to_first_token_ms": {"p50": 50.0, "p95": 60.0},
}
REPORT: dict[str, Any] = {
    "max_concurrency": 4,
    "completed": 8,
    "failed": 0,
    "total_input_tokens": 800,
    "total_output_tokens": 80,
    "output_throughput": 123.4,
    "median_tpot_ms": 5.0,
    "median_ttft_ms": 50.0,
}
EXPECTED = MeasuredCell(100, 10, 4, 8, 123.4, 5.0, 50.0)


def written(folder: Path, document: Any) -> Path:
    file = folder / "results.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document), "utf-8")
    return file


FAILED = {**CELL, "failures": 8, "time_between_tokens_ms": None, "time_to_first_token_ms": None}


@pytest.mark.parametrize("document", [{"results": [CELL, {"state": "rejected"}, FAILED]}, REPORT])
def test_both_kinds_of_files(document: Any, tmp_path: Path) -> None:
    assert read([written(tmp_path, document)]) == [EXPECTED]


REFUSED = [
    ("{", "is not valid JSON"),
    ({"results": []}, "The files have no measured cell"),
    ({"results": [FAILED]}, "The files have no measured cell in which every request was answered"),
    (
        {"results": [{"state": "measured"}]},
        "has no valid concurrency: name a finished run of a load test, or",
    ),
    ({"results": [{**CELL, "output_tokens_per_second": 0}]}, "has no valid output_tokens_per_second: name"),
    ({"results": "none"}, "has no valid results: name"),
    ({"answer": 42}, "has no valid max_concurrency: name"),
    ([1, 2], "has no valid object: name"),
    (7, "has no valid object: name"),
    ({**REPORT, "completed": 0}, "has no valid completed: name"),
    ({**REPORT, "median_ttft_ms": "fast"}, "has no valid median_ttft_ms: name"),
    ({**REPORT, "max_concurrency": None}, "is a load without a concurrency or has failed requests"),
    ({**REPORT, "failed": 1}, "is a load without a concurrency or has failed requests"),
]


@pytest.mark.parametrize(("document", "sentence"), REFUSED)
def test_another_file_is_refused(document: Any, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError) as refusal:
        read([written(tmp_path, document)])
    assert sentence in str(refusal.value) and "\n" not in str(refusal.value)


def test_answers_of_one_token_have_no_time_between_two(tmp_path: Path) -> None:
    report = {**REPORT, "total_output_tokens": 8, "median_tpot_ms": 0.0}
    assert read([written(tmp_path, report)]) == [MeasuredCell(100, 1, 4, 8, 123.4, None, 50.0)]


def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        read([tmp_path / "none.json"])
