"""What a finding is.

A finding is one sentence: what was asked, what is true, what to change. `error`: it would not boot or not
serve. `warning`: it serves, but not as asked or not safely. `note`: it serves, and this is what the
setting really does.
"""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")

VERSION = "vllm-tpu 0.32"
"""What the rules were read in; a rule that holds for this version only says so in its sentence."""


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
