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


@pytest.mark.parametrize("document", [{"results": [CELL, {**CELL, "state": "rejected"}]}, REPORT])
def test_both_kinds_of_files(document: Any, tmp_path: Path) -> None:
    assert read([written(tmp_path, document)]) == [EXPECTED]


REFUSED = [
    ("{", "is not valid JSON"),
    ({"results": []}, "The files have no measured cell"),
    ({"results": [{"state": "measured"}]}, "lacks 'time_between_tokens_ms'"),
    ({"answer": 42}, "lacks 'max_concurrency'"),
    ([1, 2], "lacks "),
    ({**REPORT, "max_concurrency": None}, "is a load without a concurrency or has failed requests"),
    ({**REPORT, "failed": 1}, "is a load without a concurrency or has failed requests"),
]


@pytest.mark.parametrize(("document", "sentence"), REFUSED)
def test_another_file_is_refused(document: Any, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError) as refusal:
        read([written(tmp_path, document)])
    assert sentence in str(refusal.value) and "\n" not in str(refusal.value)


def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        read([tmp_path / "none.json"])
