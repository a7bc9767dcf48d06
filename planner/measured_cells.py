"""Measurements of others on real slices, cell by cell, on which the constants are fitted.

Each cell is one run of `vllm bench serve` with its `random` dataset, all requests sent at once up to the
concurrency. Times are medians in milliseconds; the time between tokens is a request's mean after its first
token. None means that the source has no such number. serving/models/measured_throughput.py has the commits
and the paths of these logs.

The cells of an engine were measured one after another on one server with a prefix cache, and with one seed.
The dataset draws the start of each prompt only from the seed (`RandomDataset` in vllm/benchmarks/datasets):
the same number of a request begins with the same tokens in every cell, whatever the length. So a cell finds
pages of those before it in the cache, and is simulated after them.
"""

from dataclasses import dataclass, replace
from types import MappingProxyType

from config.traffic.load import Length, Load
from serving.compilation.candidate import Candidate
from serving.engine.config import EngineConfig
from serving.engine.phases import engine_for
from serving.hardware.accelerators import accelerator
from serving.models.catalog import model


@dataclass(frozen=True)
class MeasuredCell:
    """One load, and what was measured: output tokens a second, and medians in milliseconds."""

    prompt: int
    answer: int
    concurrency: int
    requests: int
    output_tokens_per_second: float
    between_ms: float | None
    first_ms: float | None
    repeated: bool = False
    """The server had answered the same prompts before."""

    @property
    def name(self) -> str:
        """Returns concurrency and prompt, for tables."""
        return f"{self.concurrency} x {self.prompt:,}{' again' if self.repeated else ''}"

    @property
    def load(self) -> Load:
        """Returns the load of the cell."""
        return Load(
            prompt=Length("fixed", self.prompt, self.prompt),
            answer=Length("fixed", self.answer, self.answer),
            requests=self.requests,
            concurrency=self.concurrency,
        )


@dataclass(frozen=True)
class MeasuredEngine:
    """One engine on one slice with its cells, in the order in which one server answered them.

    `pages` are those of its KV cache, None where no log says.
    """

    model: str
    accelerator: str
    engine: MappingProxyType[str, object]
    pages: int | None
    cells: tuple[MeasuredCell, ...]

    @property
    def candidate(self) -> Candidate:
        """Returns the engine, with the preset's values where the source names none."""
        config: EngineConfig = engine_for("tuned", None, self.engine)
        return Candidate(accelerator(self.accelerator), model(self.model), config)


E2B = MeasuredEngine(
    model="gemma-4-e2b-it",
    accelerator="v6e-1",
    engine=MappingProxyType(
        {
            "tensor_parallel_size": 1,
            "max_model_len": 32_768,
            "max_num_seqs": 256,
            "max_num_batched_tokens": 4096,
            "gpu_memory_utilization": 0.92,
        }
    ),
    # 1,151,744 tokens in blocks of 64, as logged.
    pages=17_996,
    cells=(
        MeasuredCell(128, 128, 1, 16, 202.97, 4.72, 11.52),
        MeasuredCell(128, 128, 8, 24, 1127.27, 6.38, 81.32),
        MeasuredCell(1024, 128, 16, 48, 1553.53, 9.28, 129.91),
        MeasuredCell(32_000, 128, 16, 48, 229.91, 49.42, 2188.44),
        MeasuredCell(32_000, 128, 32, 96, 230.7, 70.17, 8794.33),
        MeasuredCell(16_000, 128, 64, 192, 468.49, 67.68, 8496.6),
        MeasuredCell(16_000, 128, 32, 96, 408.44, 56.69, 3013.95),
        MeasuredCell(8192, 128, 64, 192, 969.59, 49.73, 1363.85),
        MeasuredCell(4096, 128, 64, 192, 1605.43, 30.36, 300.07),
        MeasuredCell(8192, 128, 32, 96, 921.5, 31.37, 299.26),
        # Medians of three runs each, after the others (repeatability_gce_v6e1.json, beside their file).
        MeasuredCell(128, 128, 1, 16, 209.25, None, None, repeated=True),
        MeasuredCell(128, 128, 8, 24, 1224.65, None, None, repeated=True),
        MeasuredCell(1024, 128, 16, 48, 1810.31, None, None, repeated=True),
    ),
)

E2B_AGAIN = replace(
    E2B,
    cells=(
        MeasuredCell(128, 128, 1, 16, 202.8, 4.72, 12.24),
        MeasuredCell(128, 128, 8, 24, 1124.38, 6.39, 84.8),
        MeasuredCell(1024, 128, 16, 48, 1544.3, 9.3, 133.64),
        MeasuredCell(32_000, 128, 16, 48, 249.14, 51.78, 1380.01),
        MeasuredCell(32_000, 128, 32, 96, 232.78, 69.53, 8713.43),
        MeasuredCell(16_000, 128, 64, 192, 469.2, 67.28, 8450.94),
        MeasuredCell(16_000, 128, 32, 96, 444.0, 54.87, 2460.94),
        MeasuredCell(8192, 128, 64, 192, 989.55, 48.18, 1062.11),
        MeasuredCell(4096, 128, 64, 192, 1643.6, 29.79, 285.79),
        MeasuredCell(8192, 128, 32, 96, 938.59, 30.7, 298.83),
        MeasuredCell(16_000, 128, 40, 120, 452.73, 66.15, 2087.89),
        MeasuredCell(16_000, 128, 46, 138, 465.88, 67.18, 3659.05),
        MeasuredCell(16_000, 128, 52, 156, 470.63, 67.06, 5273.2),
        MeasuredCell(16_000, 128, 56, 168, 467.74, 67.21, 6309.11),
        MeasuredCell(16_000, 128, 60, 180, 471.59, 67.26, 7372.69),
    ),
)
"""The same build, flags and loads on another v6e-1, and five loads more. No constant is fitted on them. From
tpu-vllm-v6e1-2b/benchmarks/runs/2026-08-10-config-validation-v6e1/results of the same repository at e68dd79c
(cells_v6e1.json, knee_v6e1.json)."""

MOE_26B = MeasuredEngine(
    model="gemma-4-26b-a4b-it",
    accelerator="v6e-4",
    engine=MappingProxyType({"max_model_len": 2048, "max_num_seqs": 16, "max_num_batched_tokens": 2048}),
    pages=None,
    # The prompts have 508 tokens in all. The median of 1,881.8, 1,997.6 and 1,982.0 in three runs.
    cells=(MeasuredCell(508 // 16, 256, 16, 16, 1982.0, None, None),),
)
