"""One engine for one model on one slice: the subject of plans, findings and tables."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

from serving.compilation.proof import Proof
from serving.compilation.resolved_config import Runtime, resolve
from serving.engine.config import EngineConfig
from serving.engine.extra_flags import without
from serving.engine.layers import UNKNOWN_LAYERS, Change, Layers, engine_with
from serving.hardware.accelerators import Accelerator, accelerator
from serving.messages.finding import Finding, Severity
from serving.models.catalog import model
from serving.models.spec import ModelSpec

ENGINE = "engine."

SAME_PROGRAMS = {"gpu_memory_utilization", "num_gpu_blocks_override"}
"""Fields that change the number of KV pages, and no size in a proof."""


@dataclass(frozen=True)
class Candidate:
    """An engine, its model and its slice; `proof` has the compiler's sizes for it, or is None.

    `layers` says who set the engine's fields.
    """

    accelerator: Accelerator
    model: ModelSpec
    engine: EngineConfig
    proof: Proof | None = None
    layers: Layers = UNKNOWN_LAYERS

    @cached_property
    def runtime(self) -> Runtime:
        """The values that the server uses. Raises ValueError as `resolve` does."""
        return resolve(self.model, self.engine)

    def with_fields(self, **fields: object) -> "Candidate":
        """Returns the candidate with other engine fields and the same proof; the values are not validated."""
        return replace(self, engine=self.engine.model_copy(update=fields))

    def after(self, change: Change) -> "Candidate":
        """Returns the candidate after a change of engine, accelerator or model.

        It keeps the proof only if the programs keep their sizes. Raises ValueError, one sentence a line, for
        an engine that EngineConfig refuses.
        """
        fields = {
            path.removeprefix(ENGINE): value for path, value in change.items() if path.startswith(ENGINE)
        }
        slice_, spec = change.get("accelerator"), change.get("model")
        return Candidate(
            accelerator=self.accelerator if slice_ is None else accelerator(str(slice_)),
            model=self.model if spec is None else model(str(spec)),
            engine=engine_with(self.engine, fields),
            proof=self.proof if fields.keys() <= SAME_PROGRAMS and len(fields) == len(change) else None,
        )

    def unset(self, field: str) -> Change:
        """Returns the change that unsets an engine field and removes the extra flags that need it."""
        flags = without(self.engine.extra_flags, field)
        change: Change = {f"{ENGINE}{field}": None}
        return change if flags == self.engine.extra_flags else {**change, f"{ENGINE}extra_flags": flags}

    def finding(
        self,
        severity: Severity,
        code: str,
        field: str,
        truth: str,
        *changes: Change,
        otherwise: str = "",
        asked: str = "",
    ) -> Finding:
        """Returns a finding about an engine field.

        Each of `changes` makes it go away by itself; `otherwise` is what else can be done, or why nothing
        must be. `asked` replaces the standard beginning, which has the field's value and who set it.
        """
        changes = tuple(self._by_entry(change) for change in changes)
        owner = self.layers.owner(field)
        beginning = asked or f"engine.{field} is {_text(getattr(self.engine, field))}"
        return Finding(
            severity=severity,
            code=code,
            field=f"engine.{field}",
            asked=beginning + (f" ({owner})" if owner else ""),
            truth=truth,
            change=self.layers.advice(changes, otherwise),
            changes=changes,
            otherwise=otherwise,
        )

    def only(self, finding: Finding, changes: Sequence[Change]) -> Finding:
        """Returns the finding with fewer of its changes."""
        change = self.layers.advice(changes, finding.otherwise)
        return replace(finding, changes=tuple(changes), change=change)

    def _by_entry(self, change: Change) -> Change:
        """Returns a change of extra_environment or extra_flags as changes of the entries that differ.

        Advice is printed, and an entry that stays may be a secret in the wrong place.
        """
        result: dict[str, object] = {}
        for path, value in change.items():
            before = getattr(self.engine, path.removeprefix(ENGINE), None)
            if isinstance(before, Mapping) and isinstance(value, Mapping):
                old, new = cast(Mapping[str, object], before), cast(Mapping[str, object], value)
                differ = [name for name in {**old, **new} if old.get(name) != new.get(name)]
                result |= {f"{path}.{name}": new.get(name) for name in differ}
            else:
                result[path] = value
        return result


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:,}" if isinstance(value, int) else str(value)


Rule = Callable[[Candidate], Iterator[Finding]]
