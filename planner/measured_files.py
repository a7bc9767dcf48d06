"""Measurements in files: a finished run of `make load-test`, or results of `vllm bench serve`.

A run is the object load-tests/RELEASE/TIME.json of the stack's bucket (agent/load_test/run.py). The benchmark
writes one file for each load (`--save-result`); its fields are those of vllm/benchmarks/serve.py.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from planner.measured_cells import MeasuredCell

Whole = Annotated[int, Field(ge=1)]
Milliseconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""0 where there was nothing to measure: the benchmark's time between tokens, for answers of one token."""
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Fields(BaseModel):
    """Fields that a comparison needs, among others."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class _Run(_Fields):
    """A finished run of a load test."""

    results: list[dict[str, Any]]


class _Times(_Fields):
    p50: Milliseconds


class _Cell(_Fields):
    """A cell of a run in which every request was answered."""

    concurrency: Whole
    prompt_tokens: Whole
    output_tokens: Whole
    requests: Whole
    output_tokens_per_second: Positive
    time_to_first_token_ms: _Times
    time_between_tokens_ms: _Times


class _Report(_Fields):
    """A result of the benchmark."""

    max_concurrency: Whole | None
    failed: int
    completed: Whole
    total_input_tokens: Whole
    total_output_tokens: Whole
    output_throughput: Positive
    median_tpot_ms: Milliseconds
    median_ttft_ms: Milliseconds


def read(files: Sequence[Path]) -> list[MeasuredCell]:
    """Returns the measured cells of all files.

    Raises ValueError, one sentence, for a file that is neither, and for a load without a concurrency.
    """
    cells = [cell for file in files for cell in _cells(file)]
    if not cells:
        raise ValueError(
            "The files have no measured cell in which every request was answered: name a finished run, or a "
            "result of the benchmark."
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
        if isinstance(document, dict) and "results" in document:
            run = _Run.model_validate(document)
            return [
                _of_run(each)
                for each in run.results
                if each.get("state") == "measured" and not each.get("failures")
            ]
        return [_benchmark(_Report.model_validate(document), file)]
    except ValidationError as error:
        field = ".".join(str(part) for part in error.errors()[0]["loc"]) or "object"
        raise ValueError(
            f"{file} has no valid {field}: name a finished run of a load test, or a result of "
            "`vllm bench serve`."
        ) from None


def _of_run(result: Mapping[str, Any]) -> MeasuredCell:
    cell = _Cell.model_validate(result)
    return MeasuredCell(
        prompt=cell.prompt_tokens,
        answer=cell.output_tokens,
        concurrency=cell.concurrency,
        requests=cell.requests,
        output_tokens_per_second=cell.output_tokens_per_second,
        between_ms=cell.time_between_tokens_ms.p50 or None,
        first_ms=cell.time_to_first_token_ms.p50 or None,
    )


def _benchmark(report: _Report, file: Path) -> MeasuredCell:
    if report.max_concurrency is None or report.failed:
        raise ValueError(
            f"{file} is a load without a concurrency or has failed requests: measure with --max-concurrency, "
            "and compare a run in which every request was answered."
        )
    return MeasuredCell(
        prompt=round(report.total_input_tokens / report.completed),
        answer=round(report.total_output_tokens / report.completed),
        concurrency=report.max_concurrency,
        requests=report.completed,
        output_tokens_per_second=report.output_throughput,
        between_ms=report.median_tpot_ms or None,
        first_ms=report.median_ttft_ms or None,
    )
