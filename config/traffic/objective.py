"""Service-level objectives: limits of the times of most requests. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SHARE = "p95"
"""Share of the requests that must keep each limit."""

FORM = "write for example 'first=2000 between=60', in milliseconds"
_FIELDS = {"first": "time_to_first_token_ms", "between": "time_between_tokens_ms"}


@dataclass(frozen=True)
class Objective:
    """Limits in milliseconds for 95 % of the requests; None means no limit."""

    first: float | None = None
    between: float | None = None

    def missed(self, result: Mapping[str, Any]) -> list[str]:
        """Returns a phrase for each limit that a simulated result exceeds."""
        phrases = list[str]()
        for name, field in _FIELDS.items():
            limit: float | None = getattr(self, name)
            times = result[field]
            if limit is not None and times is not None and times[SHARE] > limit:
                phrases.append(f"{name} is {times[SHARE]:,.0f} ms at {SHARE}, and {limit:g} is the limit")
        return phrases


def parse(text: str) -> Objective:
    """Returns the objective of words NAME=MILLISECONDS. Raises ValueError, one sentence, for a mistake."""
    limits: dict[str, float] = {}
    for word in text.split():
        name, _, value = word.partition("=")
        if name not in _FIELDS or name in limits:
            raise ValueError(f"{word!r} in the SLO is neither first nor between, each once: {FORM}.")
        if not re.fullmatch(r"\d{1,7}(\.\d+)?", value) or float(value) == 0:
            raise ValueError(
                f"{word!r} in the SLO is no limit above 0 and below 10,000,000 milliseconds: {FORM}."
            )
        limits[name] = float(value)
    if not limits:
        raise ValueError(f"The SLO has no limit: {FORM}.")
    return Objective(**limits)
