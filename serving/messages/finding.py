"""Finding: one sentence that says what was asked, what is true and what to change.

An `error` would not boot or not serve. With a `warning` the engine serves, but not as asked or not safely.
With a `note` it serves, and the sentence says what the setting does.
"""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")

VERSION = "vllm-tpu 0.32"
"""Version whose code the rules were read in. A rule that holds only for this version names it."""


@dataclass(frozen=True)
class Finding:
    """`code` is stable and unique to its rule; `field` is the path in the configuration."""

    severity: Severity
    code: str
    field: str
    asked: str
    truth: str
    change: str

    def __str__(self) -> str:
        return f"{self.asked}: {self.truth}; {self.change}."
