"""What the rules judge: one engine on one slice, resolved once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from serving.compilation.proofs import Proof
from serving.compilation.resolved_config import Runtime, resolve
from serving.engine.config import EngineConfig
from serving.hardware.accelerators import Accelerator
from serving.messages.finding import Finding, Severity
from serving.models.spec import ModelSpec


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
