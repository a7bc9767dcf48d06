"""Measurements in files: a finished run of `make load-test`, or results of `vllm bench serve`.

A run is the object load-tests/RELEASE/TIME.json of the stack's bucket (agent/load_test/run.py). The benchmark
writes one file for each load (`--save-result`); its fields are those of vllm/benchmarks/serve.py.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from planner.measured_cells import MeasuredCell


def read(files: Sequence[Path]) -> list[MeasuredCell]:
    """Returns the measured cells of all files.

    Raises ValueError, one sentence, for a file that is neither, and for a load without a concurrency.
    """
    cells = [cell for file in files for cell in _cells(file)]
    if not cells:
        raise ValueError(
            "The files have no measured cell: name a finished run, or a result of the benchmark."
        )
    return cells


def _cells(file: Path) -> list[MeasuredCell]:
    try:
        document: Any = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ValueError(f"{file} cannot be read ({error.strerror}): name a file of results.") from None
    except ValueError as error:
        raise ValueError(f"{file} is not valid JSON ({error}): name a file of results.") from None
    try:
        if "results" in document:
            return [_cell(each) for each in document["results"] if each["state"] == "measured"]
        return [_benchmark(document, file)]
    except (KeyError, TypeError) as field:
        raise ValueError(
            f"{file} lacks {field}: name a finished run of a load test, or a result of `vllm bench serve`."
        ) from None


def _cell(each: Mapping[str, Any]) -> MeasuredCell:
    between, first = each["time_between_tokens_ms"], each["time_to_first_token_ms"]
    return MeasuredCell(
        prompt=each["prompt_tokens"],
        answer=each["output_tokens"],
        concurrency=each["concurrency"],
        requests=each["requests"],
        output_tokens_per_second=each["output_tokens_per_second"],
        between_ms=between and between["p50"],
        first_ms=first and first["p50"],
    )


def _benchmark(report: Mapping[str, Any], file: Path) -> MeasuredCell:
    if report["max_concurrency"] is None or report["failed"]:
        raise ValueError(
            f"{file} is a load without a concurrency or has failed requests: measure with --max-concurrency, "
            "and compare a run in which every request was answered."
        )
    requests = report["completed"]
    return MeasuredCell(
        prompt=round(report["total_input_tokens"] / requests),
        answer=round(report["total_output_tokens"] / requests),
        concurrency=report["max_concurrency"],
        requests=requests,
        output_tokens_per_second=report["output_throughput"],
        between_ms=report["median_tpot_ms"],
        first_ms=report["median_ttft_ms"],
    )
