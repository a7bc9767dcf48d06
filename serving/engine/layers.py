"""The layers that an engine is made of, and how a user changes a setting in the right one.

A phase sets an engine, a scenario changes fields of it, and a user's own fields come last. A message names
the layer that set a value, and the change that works there: removing a line helps only where that line is.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Literal, cast

import yaml

from serving.engine.config import EngineConfig
from serving.engine.phases import PHASES, SCENARIOS, engine_for

Change = Mapping[str, object]
"""Settings by their path and the values to give them: `engine.block_size`, `accelerator`, `target.zone`.

None is YAML's null: it unsets an engine field, which leaves it to the server.
"""

Place = Literal["stack file", "--set"]
"""Place in which a user writes engine fields: under `tpuserve:engine`, or as options of a command."""

PREFIX = "tpuserve:"


@dataclass(frozen=True)
class Layers:
    """A phase, a scenario over it, and the user's fields over both, written in `place`.

    Without a phase nothing is known of where the values come from.
    """

    phase: str | None = None
    scenario: str | None = None
    fields: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    place: Place = "stack file"

    @cached_property
    def below(self) -> EngineConfig | None:
        """The engine without the user's fields; None where the phase is not known."""
        return None if self.phase is None else engine_for(self.phase, self.scenario, {})

    def owner(self, name: str) -> str:
        """Returns the layer that set an engine field, for people; "" where none did, or none is known."""
        if self.phase is None:
            return ""
        if name in self.fields:
            return self.place
        if self.scenario is not None and name in SCENARIOS[self.scenario].engine:
            return f"scenario {self.scenario}"
        return f"phase {self.phase}" if name in PHASES[self.phase].engine else ""

    def advice(self, changes: Sequence[Change], otherwise: str = "") -> str:
        """Returns the changes as alternatives, each with the lines to write, and what else can be done."""
        words = [" and ".join(self._steps(change)) for change in changes]
        return ", or ".join([*words, *([otherwise] if otherwise else [])])

    def _steps(self, change: Change) -> Iterator[str]:
        """Yields the steps of one change: lines to remove, then lines to write, by the key they are under."""
        removed = [path for path, value in change.items() if self._is_removal(path, value)]
        written = {path: value for path, value in change.items() if path not in removed}
        if self.place == "--set":
            if removed:
                yield f"leave out {_joined(f'--set {_name(path)}=…' for path in removed)}"
            if written:
                yield f"add {_joined(_option(path, value) for path, value in written.items())}"
            return
        if removed:
            yield f"remove {_joined(_name(path) for path in removed)} from {PREFIX}engine"
        for key in dict.fromkeys(path.rpartition(".")[0] for path in written):
            lines = [line for path, line in _lines(written) if path.rpartition(".")[0] == key]
            yield f"write {_joined(lines)}" + (f" under {PREFIX}{key}" if key else "")

    def _is_removal(self, path: str, value: object) -> bool:
        """Returns whether the value is what the layers below give, so that the user's line can go."""
        key, _, name = path.rpartition(".")
        if key != "engine" or name not in self.fields or self.below is None:
            return False
        return getattr(self.below, name) == getattr(engine_with(self.below, {name: value}), name)


UNKNOWN_LAYERS = Layers()


def engine_with(engine: EngineConfig, fields: Mapping[str, object]) -> EngineConfig:
    """Returns the engine with other values of some fields. Raises pydantic's ValidationError."""
    given = {name: getattr(engine, name) for name in engine.model_fields_set} | dict(fields)
    return EngineConfig.model_validate(given)


def _lines(written: Change) -> Iterator[tuple[str, str]]:
    for path, value in written.items():
        key, _, name = path.rpartition(".")
        yield path, f"{name if key else PREFIX + name}: {_yaml(value)}"


def _option(path: str, value: object) -> str:
    key, _, name = path.rpartition(".")
    if key == "engine":
        text = f"{name}={_yaml(value)}"
        return f"--set '{text}'" if " " in text else f"--set {text}"
    return f"--{name} {_yaml(value)}"


def _name(path: str) -> str:
    return path.rpartition(".")[2]


def _joined(lines: Iterable[str]) -> str:
    return " and ".join(f"`{line}`" for line in lines)


def _yaml(value: object) -> str:
    """Returns a value as YAML on one line."""
    text = yaml.safe_dump(_plain(value), default_flow_style=True, sort_keys=False, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")


def _plain(value: object) -> object:
    """Returns a value as plain dicts and lists, which is all that the YAML writer knows."""
    if isinstance(value, Mapping):
        parts = cast(Mapping[object, object], value)
        return {name: _plain(part) for name, part in parts.items()}
    return list(cast(tuple[object, ...], value)) if isinstance(value, tuple) else value
