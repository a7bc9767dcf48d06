"""Results of cells as the Job writes them."""

from dataclasses import asdict
from typing import Any

from agent.load_test.cell import Cell


def result(concurrency: int, *, tokens: int = 128, **fields: Any) -> dict[str, Any]:
    """Returns a measured cell."""
    cell = Cell(concurrency=concurrency, prompt_tokens=tokens, output_tokens=16, requests=8)
    return {
        "cell": cell.name,
        **asdict(cell),
        "state": "measured",
        "sentence": "",
        "failures": 0,
        "time_to_first_token_ms": {"p50": 100.0 * concurrency, "p95": 150.0 * concurrency},
        "time_between_tokens_ms": {"p50": 5.25, "p95": 7.0},
        "output_tokens_per_second": 1234.5,
        "prefix_cache_hits": 0,
        "preemptions": 0,
        "compiled": 0,
        "seconds": 10.0,
        "finished": 1_000 + concurrency,
        **fields,
    }


def rejected(concurrency: int) -> dict[str, Any]:
    """Returns a cell that hit the prefix cache."""
    sentence = "it is rejected: 96 prompt tokens came from the prefix cache, so these times are too short."
    return result(concurrency, state="rejected", sentence=sentence, prefix_cache_hits=96)
