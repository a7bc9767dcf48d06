"""Load that a stack expects: the part of the stack file that names it, with the limits that it must keep."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from config.strict_model import StrictModel
from config.traffic import load, objective
from config.traffic.load import Load
from config.traffic.objective import Objective


def _load(text: str) -> str:
    """Returns the text. Raises ValueError, without an end mark, unless it is a load with a rate.

    The load may neither name a file nor say how many requests there are.
    """
    names = [word.partition("=")[0] for word in text.split()]
    if "file" in names:
        raise ValueError(
            "the load of a stack names a file, which is not part of the stack file; describe its lengths "
            "with uniform or lognormal"
        )
    if "requests" in names:
        raise ValueError(
            f"the load of a stack names a number of requests, and each server is simulated for "
            f"{load.RATE_SECONDS} seconds of them; leave requests out"
        )
    try:
        parsed = load.parse(text)
    except ValueError as mistake:
        raise ValueError(str(mistake).removesuffix(".")) from None
    if parsed.rate is None:
        raise ValueError(
            "the load of a stack is divided among its servers, which needs a rate; write "
            "rate=REQUESTS_PER_SECOND in place of concurrency"
        )
    return text


def _objective(text: str) -> str:
    """Returns the text. Raises ValueError, without an end mark, unless it is an SLO."""
    try:
        objective.parse(text)
    except ValueError as mistake:
        raise ValueError(str(mistake).removesuffix(".")) from None
    return text


class ExpectedLoad(StrictModel):
    """Load of all servers of a stack together. Nothing of the server depends on it."""

    load: Annotated[str, AfterValidator(_load)] = Field(
        examples=["rate=20 prompt=2048 answer=128"],
        description="Requests a second of all servers together, and their tokens, in the form of LOAD "
        "(docs/planner.md).",
    )
    slo: Annotated[str, AfterValidator(_objective)] | None = Field(
        default=None,
        examples=["first=2000 between=60"],
        description="Milliseconds that 95 % of the requests must keep: to the first token, and between "
        "tokens. Unset: a warning.",
    )

    @property
    def requests(self) -> Load:
        """The load, parsed."""
        return load.parse(self.load)

    @property
    def objective(self) -> Objective | None:
        """The SLO, parsed."""
        return None if self.slo is None else objective.parse(self.slo)
