"""How a field of the engine model says where it goes, and the one renderer that reads it.

A field becomes a flag of `vllm serve` or an environment variable. The metadata rides on the pydantic
field, so that argv, environment, documentation and the tests against the real parser all read the same
declaration.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, cast

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

Kind = Literal["flag", "variable"]


class Target(NamedTuple):
    """One declared field: its name, where it goes, its unit, and the JSON key that wraps its value."""

    field: str
    kind: Kind
    name: str
    unit: str
    wrap: str
    info: FieldInfo


def _field(kind: Kind, name: str, effect: str, unit: str, wrap: str, default: object, bounds: Any) -> Any:
    extra: dict[str, Any] = {"kind": kind, "name": name, "unit": unit, "wrap": wrap}
    value = PydanticUndefined if default is ... else default
    return Field(value, description=effect, json_schema_extra=extra, **bounds)


def flag(
    name: str, effect: str, *, unit: str = "", wrap: str = "", default: object = None, **bounds: Any
) -> Any:
    """A field that becomes the flag `name`. `default=...` makes it required; None is not passed.

    With `wrap`, the flag's value is the JSON object {wrap: [value, ...]}.
    """
    return _field("flag", name, effect, unit, wrap, default, bounds)


def variable(name: str, effect: str, *, unit: str = "", default: object = None, **bounds: Any) -> Any:
    """A field that becomes the environment variable `name`. None is not set."""
    return _field("variable", name, effect, unit, "", default, bounds)


def targets(model: type[BaseModel], kind: Kind | None = None) -> Iterator[Target]:
    """The declared fields of `model` in their order, all or of one kind."""
    for field, info in model.model_fields.items():
        extra = cast(Mapping[str, Any] | None, info.json_schema_extra)
        if extra is not None and (kind is None or extra["kind"] == kind):
            yield Target(field, info=info, **extra)


class Rendered(BaseModel):
    """A model whose declared fields render to a command line and an environment, in declaration order."""

    def argv(self, model_path: str, served_model_name: str, port: int) -> tuple[str, ...]:
        """The server's whole command line."""
        words = ["vllm", "serve", model_path, "--served-model-name", served_model_name, "--port", str(port)]
        for target in targets(type(self), "flag"):
            words += _flag_words(target, getattr(self, target.field))
        return tuple(words)

    def declared_environment(self) -> dict[str, str]:
        """The variables of the declared fields."""
        values = ((t.name, getattr(self, t.field)) for t in targets(type(self), "variable"))
        return {name: _text(value) for name, value in values if value is not None}


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _flag_words(target: Target, value: object) -> list[str]:
    name = target.name
    if value is None:
        return []
    if isinstance(value, bool):
        return [name if value else name.replace("--", "--no-", 1)]
    if target.wrap:
        inner = list(cast(tuple[object, ...], value)) if isinstance(value, tuple) else [value]
        return [name, _json({target.wrap: inner})]
    if isinstance(value, BaseModel):
        return [name, _json(value.model_dump(exclude_none=True))]
    if isinstance(value, tuple):
        return [name, *map(str, cast(tuple[object, ...], value))]
    return [name, _text(value)]
