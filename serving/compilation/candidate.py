"""One engine for one model on one slice: the subject of plans, findings and tables."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from serving.compilation.proof import Proof
from serving.compilation.resolved_config import Runtime, resolve
from serving.engine.config import EngineConfig
from serving.hardware.accelerators import Accelerator
from serving.messages.finding import Finding, Severity
from serving.models.spec import ModelSpec


@dataclass(frozen=True)
class Candidate:
    """An engine, its model and its slice; `proof` has the compiler's sizes for this engine, or is None."""

    accelerator: Accelerator
    model: ModelSpec
    engine: EngineConfig
    proof: Proof | None = None

    @cached_property
    def runtime(self) -> Runtime:
        """The values that the server uses. Raises ValueError as `resolve` does."""
        return resolve(self.model, self.engine)

    def with_fields(self, **fields: object) -> "Candidate":
        """Returns the candidate with other engine fields and the same proof; the values are not validated."""
        return replace(self, engine=self.engine.model_copy(update=fields))

    def asked(self, field: str) -> str:
        """Returns `engine.field is value`, as findings begin."""
        value = getattr(self.engine, field)
        text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
        return f"engine.{field} is {text.lower() if isinstance(value, bool) else text}"

    def finding(
        self, severity: Severity, code: str, field: str, truth: str, change: str, asked: str = ""
    ) -> Finding:
        """Returns a finding about an engine field; `asked` replaces the standard beginning."""
        return Finding(severity, code, f"engine.{field}", asked or self.asked(field), truth, change)


Rule = Callable[[Candidate], Iterator[Finding]]
