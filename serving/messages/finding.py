"""What a finding is, and what the rules that make findings look at.

A finding is one sentence: what was asked, what is true, what to change. `error`: it would not boot or not
serve. `warning`: it serves, but not as asked or not safely. `note`: it serves, and this is what the
setting really does.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from serving.compilation.proofs import Proof
from serving.compilation.resolved_config import Runtime, resolve
from serving.engine.config import EngineConfig
from serving.hardware.accelerators import Accelerator
from serving.models.catalog import ModelSpec

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


@dataclass(frozen=True)
class Subject:
    """What rules look at; `proof` is the engine's, where the compiler has seen it."""

    accelerator: Accelerator
    model: ModelSpec
    engine: EngineConfig
    proof: Proof | None

    @cached_property
    def runtime(self) -> Runtime:
        """The values that the server will really use."""
        return resolve(self.model, self.engine)

    def asked(self, field: str) -> str:
        """`engine.field is value`, as findings begin."""
        value = getattr(self.engine, field)
        text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
        return f"engine.{field} is {text.lower() if isinstance(value, bool) else text}"

    def finding(
        self, severity: Severity, code: str, field: str, truth: str, change: str, asked: str = ""
    ) -> Finding:
        """A finding about an engine field; `asked` replaces the standard beginning."""
        return Finding(severity, code, f"engine.{field}", asked or self.asked(field), truth, change)


Rule = Callable[[Subject], Iterator[Finding]]
