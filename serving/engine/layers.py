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
from pydantic import BaseModel

from serving.engine.config import EngineConfig, parse
from serving.engine.phases import PHASES, SCENARIOS, engine_for

Change = Mapping[str, object]
"""Settings by their path and the values to give them: `engine.block_size`, `accelerator`, `target.zone`.

None is YAML's null: it unsets an engine field, which leaves it to the server. An entry of extra_environment
or extra_flags has its own path, as in `engine.extra_flags.seed`, and None removes the entry.
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
        removed, written = self._lines(change)
        for key in dict.fromkeys(_key(path) for path in removed):
            yield self._removal([path for path in removed if _key(path) == key], key)
        if self.place == "--set":
            options = {path: value for path, value in written.items() if not _is_entry(path)}
            if options:
                yield f"add {_joined(_option(path, value) for path, value in options.items())}"
            written = {path: value for path, value in written.items() if path not in options}
        for key in dict.fromkeys(_key(path) for path in written):
            lines = _joined(_line(path, value) for path, value in written.items() if _key(path) == key)
            if self.place == "--set":
                yield f"write {lines} in `--set {_name(key)}=…`"
            else:
                yield f"write {lines}" + (f" under {PREFIX}{key}" if key else "")

    def _removal(self, paths: Sequence[str], key: str) -> str:
        names = [_name(path) for path in paths]
        if self.place == "stack file":
            return f"remove {_joined(names)} from {PREFIX}{key}"
        if _is_entry(paths[0]):
            return f"leave out {_joined(names)} of `--set {_name(key)}=…`"
        return f"leave out {_joined(f'--set {name}=…' for name in names)}"

    def _lines(self, change: Change) -> tuple[list[str], dict[str, object]]:
        """Returns the lines that can go, and the settings to write. A mapping goes with its last entry."""
        removed = [path for path, value in change.items() if self._is_removal(path, value)]
        written = {path: value for path, value in change.items() if path not in removed}
        for mapping in dict.fromkeys(_key(path) for path in removed if _is_entry(path)):
            entries = {f"{mapping}.{name}" for name in self._entries(_name(mapping))}
            if entries and entries <= {*removed} and not any(_key(path) == mapping for path in written):
                removed = [*(path for path in removed if path not in entries), mapping]
        return sorted(removed, key=_is_entry), written

    def _is_removal(self, path: str, value: object) -> bool:
        """Returns whether the user's line can go: an entry to remove, or what the layers below give.

        Only the one field is compared. The engine of the layers below may be invalid with this value, because
        the value may need other fields of the user.
        """
        name = _name(path)
        if _is_entry(path):
            return value is None
        if _key(path) != "engine" or name not in self.fields or self.below is None:
            return False
        return plain(getattr(self.below, name)) == plain(value)

    def _entries(self, name: str) -> Iterable[str]:
        """Returns the names in a mapping that the user has set."""
        return cast(Mapping[str, object], self.fields.get(name, {}))


UNKNOWN_LAYERS = Layers()


def engine_with(engine: EngineConfig, settings: Mapping[str, object]) -> EngineConfig:
    """Returns the engine with other values of some fields, or of entries of a mapping (`extra_flags.seed`).

    Raises ValueError, one sentence a line, for an engine that EngineConfig refuses.
    """
    given = {name: getattr(engine, name) for name in engine.model_fields_set}
    for path, value in settings.items():
        name, _, entry = path.partition(".")
        given[name] = {**given.get(name, {}), entry: value} if entry else value
        if entry and value is None:
            del given[name][entry]
    return parse(given)


def _is_entry(path: str) -> bool:
    """Returns whether a path names an entry of one of the engine's mappings."""
    return _key(path).startswith("engine.")


def _line(path: str, value: object) -> str:
    return f"{_name(path) if _key(path) else PREFIX + path}: {_yaml(value)}"


def _option(path: str, value: object) -> str:
    if _key(path) == "engine":
        text = f"{_name(path)}={_yaml(value)}"
        return f"--set '{text}'" if " " in text else f"--set {text}"
    return f"--{_name(path)} {_yaml(value)}"


def _key(path: str) -> str:
    return path.rpartition(".")[0]


def _name(path: str) -> str:
    return path.rpartition(".")[2]


def _joined(lines: Iterable[str]) -> str:
    return " and ".join(f"`{line}`" for line in lines)


def _yaml(value: object) -> str:
    """Returns a value as YAML on one line."""
    text = yaml.safe_dump(plain(value), default_flow_style=True, sort_keys=False, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")


def plain(value: object) -> object:
    """Returns a value as dicts and lists, which is all that writers of YAML and JSON know.

    A part of the engine becomes the values that it was given.
    """
    if isinstance(value, BaseModel):
        return {name: plain(part) for name, part in value if name in value.model_fields_set}
    if isinstance(value, Mapping):
        parts = cast(Mapping[object, object], value)
        return {name: plain(part) for name, part in parts.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in cast(Sequence[object], value)]
    return value
