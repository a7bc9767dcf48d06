"""Declaration of a field's target, and the renderer of command line and environment.

A field becomes a flag of `vllm serve` or an environment variable. The target is metadata of the pydantic
field, so that command line, environment, documents and the tests against the real parser read the same
declaration.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, cast

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from serving.messages.validation_errors import ExplainsNames

Kind = Literal["flag", "variable"]
Keys = tuple[str | int, ...]
"""Place of a value inside the JSON object that is a flag's value: names, and 0 for the only item of a list.
"""


class Target(NamedTuple):
    """Flag or variable that a field becomes, or its place inside the flag's JSON object."""

    field: str
    kind: Kind
    name: str
    unit: str
    keys: Keys
    info: FieldInfo


def _field(
    kind: Kind, places: Mapping[str, Keys], effect: str, unit: str, default: object, bounds: Any
) -> Any:
    places_as_json = {name: list(keys) for name, keys in places.items()}
    extra: dict[str, Any] = {"kind": kind, "unit": unit, "places": places_as_json}
    value = PydanticUndefined if default is ... else default
    return Field(value, description=effect, json_schema_extra=extra, **bounds)


def flag(
    name: str,
    effect: str,
    *,
    keys: Keys = (),
    also: Mapping[str, Keys] | None = None,
    unit: str = "",
    default: object = None,
    **bounds: Any,
) -> Any:
    """Returns a field that becomes the flag `name`. `default=...` makes it required; None is not passed.

    With `keys`, the value is a part of the flag's JSON object; fields of one flag are merged. `also` names
    further flags that get the same value.
    """
    return _field("flag", {name: keys, **(also or {})}, effect, unit, default, bounds)


def variable(name: str, effect: str, *, unit: str = "", default: object = None, **bounds: Any) -> Any:
    """Returns a field that becomes the environment variable `name`. None is not set."""
    return _field("variable", {name: ()}, effect, unit, default, bounds)


def targets(model: type[BaseModel], kind: Kind | None = None) -> Iterator[Target]:
    """Yields the targets of the fields of `model` in their order, all or of one kind."""
    for field, info in model.model_fields.items():
        extra = cast(Mapping[str, Any] | None, info.json_schema_extra)
        if extra is not None and (kind is None or extra["kind"] == kind):
            for name, keys in extra["places"].items():
                yield Target(field, extra["kind"], name, extra["unit"], tuple(keys), info)


class Rendered(ExplainsNames):
    """A model whose declared fields render to a command line and an environment, in declaration order."""

    def argv(self, model_path: str, served_model_name: str, port: int) -> tuple[str, ...]:
        """Returns the server's command line."""
        words = ["vllm", "serve", model_path, "--served-model-name", served_model_name, "--port", str(port)]
        for name, value in self.flag_values().items():
            words += _flag_words(name, value)
        return tuple(words)

    def flag_values(self) -> dict[str, object]:
        """Returns the value of each flag that is passed."""
        values: dict[str, object] = {}
        for target in targets(type(self), "flag"):
            value = getattr(self, target.field)
            if value is not None:
                part = _inside(_plain(value), target.keys)
                values[target.name] = _merged(values.get(target.name), part)
        return values

    def declared_environment(self) -> dict[str, str]:
        """Returns the variables of the declared fields."""
        values = ((t.name, getattr(self, t.field)) for t in targets(type(self), "variable"))
        return {name: _text(value) for name, value in values if value is not None}


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_none=True)
    if isinstance(value, tuple):
        return [_plain(item) for item in cast(tuple[object, ...], value)]
    return value


def _inside(value: object, keys: Keys) -> object:
    for key in reversed(keys):
        value = [value] if key == 0 else {key: value}
    return value


def _merged(earlier: object, later: object) -> object:
    if not isinstance(earlier, dict) or not isinstance(later, dict):
        return later
    whole = dict(cast(dict[str, object], earlier))
    for key, value in cast(dict[str, object], later).items():
        whole[key] = _merged(whole.get(key), value)
    return whole


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _flag_words(name: str, value: object) -> list[str]:
    if isinstance(value, bool):
        return [name if value else name.replace("--", "--no-", 1)]
    if isinstance(value, dict):
        return [name, _json(cast(object, value))]
    if isinstance(value, list):
        return [name, *map(str, cast(list[object], value))]
    return [name, _text(value)]
