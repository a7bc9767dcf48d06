"""One finding about an engine, as data and as a sentence.

A finding is one sentence: what was asked and who set it, what is true, what to change. `error`: it would not
boot or not serve. `warning`: it serves, but not as asked or not safely. `note`: it serves, and this is what
the setting does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")

VERSION = "vllm-tpu 0.32"
"""Release whose code the rules were read in. A rule that holds only for it names it in its sentence."""


@dataclass(frozen=True)
class Finding:
    """One sentence and the changes that it advises.

    `code` is stable and unique to its rule; `field` is the path in the configuration. Each of `changes`
    (settings by path, and the values to give them) makes the finding go away by itself. `otherwise` is what
    else can be done. `change` is both in words.
    """

    severity: Severity
    code: str
    field: str
    asked: str
    truth: str
    change: str
    changes: tuple[Mapping[str, object], ...] = ()
    otherwise: str = ""

    def __str__(self) -> str:
        return f"{self.asked}: {self.truth}; {self.change}."
