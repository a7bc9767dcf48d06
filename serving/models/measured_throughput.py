"""Throughput that others measured on real slices, from published results.

This project has measured none. Each cell is one load on one engine, and says nothing about another engine.
"""

from dataclasses import dataclass

from serving.models.spec import CodePath


@dataclass(frozen=True)
class Measurement:
    """One engine, and what it answered. `log` is the path in github.com/xbill9/gemma4-dev at `commit`."""

    model: str
    accelerator: str
    path: CodePath
    version: str
    """Of vLLM."""
    max_num_seqs: int
    max_num_batched_tokens: int
    cells: tuple["Cell", ...]
    commit: str
    log: str


@dataclass(frozen=True)
class Cell:
    """Requests of one length, `concurrency` of them at once; lengths in tokens."""

    prompt: int
    output: int
    concurrency: int
    output_tokens_per_second: float


MEASUREMENTS = (
    Measurement(
        model="gemma-4-26b-a4b-it",
        accelerator="v6e-4",
        path="Gemma4ForConditionalGeneration",
        version="0.29.1rc1.dev468",
        max_num_seqs=16,
        max_num_batched_tokens=2048,
        # The prompts have 508 tokens in all. The median of 1,881.8, 1,997.6 and 1,982.0.
        cells=(Cell(prompt=508 // 16, output=256, concurrency=16, output_tokens_per_second=1982.0),),
        commit="395bf646",
        log="gce-vllm-v6e4-26b/…/2026-09-26-tp4-evidence/26b-bf16.load.json",
    ),
    Measurement(
        model="gemma-4-e2b-it",
        accelerator="v6e-1",
        path="Gemma4ForConditionalGeneration",
        version="0.26.1rc1.dev256",
        max_num_seqs=256,
        max_num_batched_tokens=4096,
        cells=(
            Cell(128, 128, 1, 202.97),
            Cell(128, 128, 8, 1127.27),
            Cell(1024, 128, 16, 1553.53),
            Cell(4096, 128, 64, 1605.43),
            Cell(8192, 128, 32, 921.5),
            Cell(8192, 128, 64, 969.59),
            Cell(16_000, 128, 64, 468.49),
        ),
        commit="4cf2d8b",
        log="gce-vllm-v6e1-2b/…/2026-08-10-gce-flex-v6e1/results/cells_gce_v6e1.json",
    ),
)


def measured(model: str, accelerator: str) -> tuple[Measurement, ...]:
    """Returns the measurements of a model on a slice."""
    return tuple(row for row in MEASUREMENTS if (row.model, row.accelerator) == (model, accelerator))
