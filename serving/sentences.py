"""Pydantic's errors as plain sentences: what was asked, what is possible, what to change."""

import json
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from serving.foreign import FOREIGN
from serving.nearest import nearest

_NOUNS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "tuple": "a list",
    "dict": "a set of names and values",
    "mapping": "a set of names and values",
    "model": "a set of names and values",
    "list": "a list",
}


def sentences(
    error: ValidationError, where: str = "", model: type[BaseModel] | None = None
) -> tuple[str, ...]:
    """One sentence per error. `where` is the path before pydantic's own ("engine"); `model` is the class
    that was validated, from which unknown names find their nearest real one and bounds their unit."""
    return tuple(_sentence(details, where, model) for details in error.errors())


def _sentence(details: ErrorDetails, where: str, root: type[BaseModel] | None) -> str:
    loc = details["loc"]
    path = ".".join(str(part) for part in (*((where,) if where else ()), *loc)) or "the configuration"
    owner = _owner(root, loc[:-1]) if root else None
    kind = details["type"]
    asked = _quoted(details["input"])
    if "extra_environment" in loc and kind == "string_type":
        # The value may be a secret that landed in the wrong place, so it is not repeated.
        return f"{path} is not text; write it in quotes."
    if kind == "extra_forbidden":
        return _unknown(str(loc[-1]), path, owner)
    if kind == "missing":
        return f"{path} is not set and has no default; set it{_unit(owner, loc)}."
    if kind == "value_error":
        return _own(str(details["ctx"]["error"]), path) if "ctx" in details else f"{path}: {details['msg']}."
    if kind == "literal_error":
        expected = str(details.get("ctx", {}).get("expected", "")).replace(" or ", ", ").replace("'", "")
        only = "," not in expected
        possible = f"only {expected} is possible" if only else f"possible are {expected}"
        return f"{path} is {asked}; {possible}; write {'that' if only else 'one of them'}."
    if kind in _BOUNDS:
        bound, change = _BOUNDS[kind]
        limit = next(iter(details.get("ctx", {}).values()))
        return f"{path} is {asked}; it must be {bound} {_number(limit)}{_unit(owner, loc)}; {change}."
    if kind == "string_too_short":
        return f"{path} is empty; write a value or remove it."
    if kind == "string_pattern_mismatch":
        return f"{path} is {asked}; it must match {details.get('ctx', {}).get('pattern')}; change it."
    noun = next((noun for start, noun in _NOUNS.items() if kind.startswith(start)), "a value of another kind")
    return f"{path} is {asked}; it must be {noun}{_unit(owner, loc)}; {_hint(details['input'], noun)}."


_BOUNDS: Mapping[str, tuple[str, str]] = {
    "greater_than": ("above", "raise it"),
    "greater_than_equal": ("at least", "raise it"),
    "less_than": ("below", "lower it"),
    "less_than_equal": ("at most", "lower it"),
}


def _own(text: str, path: str) -> str:
    """A sentence that a validator of ours wrote, with its path in front."""
    return f"{path}: {text}."


def _unknown(name: str, path: str, owner: type[BaseModel] | None) -> str:
    plain = name.lower().replace("-", "_")
    known: Sequence[str] = tuple(owner.model_fields) if owner else ()
    if plain in known:
        return f"{path} is not a name here; write {plain}."
    if plain in FOREIGN:
        return f"{path} is not a name here: {FOREIGN[plain]}."
    near = nearest(plain, known)
    if near:
        return f"{path} is not a name here; the nearest is {near}; correct or remove it."
    possible = f": it takes {', '.join(known)}" if 0 < len(known) <= 8 else ""
    return f"{path} is not a name here{possible}; remove it."


def _unit(owner: type[BaseModel] | None, loc: tuple[int | str, ...]) -> str:
    field = owner.model_fields.get(str(loc[-1])) if owner and loc else None
    extra = field.json_schema_extra if field else None
    unit = cast(Mapping[str, str], extra).get("unit") if isinstance(extra, dict) else None
    return f" ({unit})" if unit else ""


def _owner(root: type[BaseModel], loc: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The model class that holds the last step of `loc`, or None when the path leaves all models."""
    current: type[BaseModel] | None = root
    for step in loc:
        if current is None:
            return None
        field = current.model_fields.get(str(step))
        if field is not None:
            current = _first_model(field.annotation)
    return current


def _first_model(annotation: Any) -> type[BaseModel] | None:
    """The model class inside an annotation such as `X | None`; of several, the one that pydantic's path
    names next is unknown here, so only a single one counts."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, typing.Annotated):
        found = [m for part in typing.get_args(annotation) if (m := _first_model(part))]
        return found[0] if len(found) == 1 else None
    return None


def _quoted(value: object) -> str:
    if isinstance(value, str):
        return f"the text {value!r}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "empty"
    if isinstance(value, Mapping):
        return "a set of names and values"
    if isinstance(value, Sequence):
        return "a list"
    return _number(value) if isinstance(value, int | float) else f"{value}"


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _hint(value: object, noun: str) -> str:
    """What to change about a value of the wrong kind."""
    if noun == "text":
        return "write it in quotes"
    if not isinstance(value, str):
        return f"write {noun}"
    if noun in ("a list", "a set of names and values"):
        return "write it as YAML, not as text"
    try:
        json.loads(value)
    except ValueError:
        return f"write {noun}"
    return "write it without quotes"
