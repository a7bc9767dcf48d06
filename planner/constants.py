"""The fitted constants of each architecture, with the cells that they come from and their errors.

`python -m planner fit` computes them again from planner/measured_cells.py and prints each error;
tests/vllm/test_planner.py compares. They are the whole of what is fitted: three numbers for an architecture.
Everything else follows from shapes, from the peak rates of the chip, from vLLM's own scheduler, and from the
measured rate of a tokenizer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Constants:
    """Three constants of one architecture."""

    efficiency: float
    """Share of the peak that products reach in arithmetic, and decoding requests in reading their pages."""
    step_seconds: float
    """Seconds of each step beyond its work on the chip."""
    request_seconds: float
    """Seconds of a step for each request that it begins."""


@dataclass(frozen=True)
class Band:
    """Relative errors: of throughput, and of the median times between tokens and to the first token."""

    throughput: float
    between: float
    first: float


@dataclass(frozen=True)
class Fitted:
    """Constants with what they were fitted on, and how far a number can be off."""

    constants: Constants
    band: Band
    basis: str


TOKEN_SECONDS = 2.2e-6
"""Seconds in which the server tokenizes a token of text, of any model.

Measured, not fitted: the median of 30 random prompts of 2,048 tokens of the benchmark, on one core of an AMD
EPYC, with tokenizers 0.23.3 and the tokenizer of Gemma 3, which has as many tokens as Gemma 4's (262,144).
It was 1.7 microseconds for prompts of 128 tokens, 2.0 for 1,024, 3.0 for 8,192 and 3.8 for 32,000."""

START = Constants(efficiency=0.5, step_seconds=0.002, request_seconds=0.008)
"""Constants with which the first fit begins."""

E2B = Constants(efficiency=0.607, step_seconds=0.00194, request_seconds=0.00724)
"""Fitted on 13 cells of gemma-4-e2b-it on v6e-1 (xbill9/gemma4-dev at 4cf2d8b, 2026-08)."""
MOE_26B = Constants(efficiency=0.607, step_seconds=0.000238, request_seconds=0.00724)
"""`step_seconds` fitted on the one cell of gemma-4-26b-a4b-it on v6e-4 (the same at 395bf646, 2026-09), the
others those of E2B."""

BAND = Band(throughput=0.12, between=0.18, first=0.85)
"""The largest errors of E2B's cells when each is predicted without it. The two of 32 and 16 simultaneous
requests with 16,000 and 32,000 tokens decide all three, and with 64 of 8,192 the first token; the others are
within 9, 8 and 22 %."""

_ROWS: Mapping[str, Fitted] = MappingProxyType(
    {
        "gemma-4-e2b-it": Fitted(E2B, BAND, "largest errors of 13 measured cells, each left out"),
        "gemma-4-26b-a4b-it": Fitted(
            MOE_26B, BAND, "assumed: as for gemma-4-e2b-it, because one measured cell has no spread"
        ),
    }
)


def fitted(model: str) -> Fitted:
    """Returns the constants of a model; those of E2B for a model without a measured cell."""
    unmeasured = Fitted(E2B, BAND, "assumed: constants and errors of gemma-4-e2b-it; this model has no cell")
    return _ROWS.get(model, unmeasured)
