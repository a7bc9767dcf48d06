"""Sentences for pydantic's errors: what was asked, what is possible, what to change."""

import json
import typing
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from serving.messages.suggest import LONGEST_QUOTED, nearest, quoted
from serving.messages.unsupported_options import FOREIGN

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


class ExplainsNames(BaseModel):
    """Model that knows about names that it has no field for."""

    @classmethod
    def advice_on(cls, name: str) -> str | None:
        """Returns what to do about `name`, after "... is not a name here: "; None if nothing is known."""
        del name
        return None


def sentences(
    error: ValidationError, where: str = "", model: type[BaseModel] | None = None
) -> tuple[str, ...]:
    """Returns one sentence for each error.

    `where` is the path in front of pydantic's own ("engine"). `model` is the class that was validated; it
    supplies the nearest name for an unknown one, and the unit of a bound.
    """
    return tuple(_sentence(details, where, model) for details in error.errors())


def _sentence(details: ErrorDetails, where: str, root: type[BaseModel] | None) -> str:
    loc = details["loc"]
    names, owner = _place(root, loc)
    path = ".".join((*((where,) if where else ()), *names)) or "the configuration"
    kind = details["type"]
    asked = _quoted(details["input"])
    if kind == "union_tag_not_found":
        return f"{path}.kind is not set and has no default; set it."
    if kind == "union_tag_invalid":
        tag, expected = (str(details.get("ctx", {}).get(word, "")) for word in ("tag", "expected_tags"))
        possible = expected.replace("'", "")
        return f"{path}.kind is the text {quoted(tag)}; possible are {possible}; write one of them."
    if "extra_environment" in loc and kind == "string_type":
        # The value may be a secret that landed in the wrong place, so it is not repeated.
        return f"{path} is not text; write it in quotes."
    if kind == "extra_forbidden":
        return _unknown(str(loc[-1]), path, owner)
    if kind == "missing":
        return f"{path} is not set and has no default; set it{_unit(owner, loc)}."
    if kind == "value_error":
        return f"{path}: {details['ctx']['error'] if 'ctx' in details else details['msg']}."
    if kind == "literal_error":
        expected = str(details.get("ctx", {}).get("expected", "")).replace(" or ", ", ").replace("'", "")
        only = "," not in expected
        possible = f"only {expected} is possible" if only else f"possible are {expected}"
        return f"{path} is {asked}; {possible}; write {'that' if only else 'one of them'}."
    if kind in _BOUNDS:
        bound, change = _BOUNDS[kind]
        limit = next(iter(details.get("ctx", {}).values()))
        return f"{path} is {asked}; it must be {bound} {number(limit)}{_unit(owner, loc)}; {change}."
    if kind == "string_too_short":
        return f"{path} is empty; write a value or remove it."
    if kind == "too_short":
        given, least = (details.get("ctx", {}).get(word) for word in ("actual_length", "min_length"))
        return f"{path} has {given} entries; it must have at least {least}; add what is missing."
    if kind == "too_long":
        given, most = (details.get("ctx", {}).get(word) for word in ("actual_length", "max_length"))
        return f"{path} has {given} entries; it must have at most {most}; remove the others."
    if kind == "string_pattern_mismatch":
        return f"{path} is {asked}; it must {_form(owner, loc, details)}; change it."
    noun = next((noun for start, noun in _NOUNS.items() if kind.startswith(start)), "a value of another kind")
    return f"{path} is {asked}; it must be {noun}{_unit(owner, loc)}; {hint(details['input'], noun, path)}."


_BOUNDS: Mapping[str, tuple[str, str]] = {
    "greater_than": ("above", "raise it"),
    "greater_than_equal": ("at least", "raise it"),
    "less_than": ("below", "lower it"),
    "less_than_equal": ("at most", "lower it"),
}


def _unknown(name: str, path: str, owner: type[BaseModel] | None) -> str:
    plain = name.lower().replace("-", "_")
    known: Sequence[str] = tuple(owner.model_fields) if owner else ()
    if plain in known:
        return f"{path} is not a name here; write {plain}."
    advice = owner.advice_on(name) if owner and issubclass(owner, ExplainsNames) else None
    if advice or plain in FOREIGN:
        return f"{path} is not a name here: {advice or FOREIGN[plain]}."
    near = nearest(plain, known)
    if near:
        return f"{path} is not a name here; the nearest is {near}; correct or remove it."
    possible = f": it takes {', '.join(known)}" if 0 < len(known) <= 8 else ""
    return f"{path} is not a name here{possible}; remove it."


def _form(owner: type[BaseModel] | None, loc: tuple[int | str, ...], details: ErrorDetails) -> str:
    field = owner.model_fields.get(str(loc[-1])) if owner else None
    if field is not None and field.examples:
        return f"look like {field.examples[0]}"
    return f"match {details.get('ctx', {}).get('pattern')}"


def _unit(owner: type[BaseModel] | None, loc: tuple[int | str, ...]) -> str:
    field = owner.model_fields.get(str(loc[-1])) if owner and loc else None
    extra = field.json_schema_extra if field else None
    unit = cast(Mapping[str, str], extra).get("unit") if isinstance(extra, dict) else None
    return f" ({unit})" if unit else ""


def _place(
    root: type[BaseModel] | None, loc: tuple[int | str, ...]
) -> tuple[list[str], type[BaseModel] | None]:
    """Returns the names as the file has them, and the model class that holds the last one.

    The file lacks two steps of pydantic's path: the member of a union that `kind` chose, and `[key]`, which
    stands for a wrong key of a mapping.
    """
    names: list[str] = []
    owner: type[BaseModel] | None = None
    models: Sequence[type[BaseModel]] = (root,) if root else ()
    for step in loc:
        chosen = [model for model in models if len(models) > 1 and _tag(model) == step]
        if chosen:
            models = chosen
            continue
        # A union of text and one class names its member by the type.
        if step in ("[key]", "str", *(model.__name__ for model in models)):
            continue
        names.append(str(step))
        owner = models[0] if len(models) == 1 else None
        field = owner.model_fields.get(str(step)) if owner else None
        if field is not None:
            models = _models(field.annotation)
    return names, owner


def _tag(model: type[BaseModel]) -> object:
    """Returns the `kind` that chooses this member of a union; None when it has no such field."""
    field = model.model_fields.get("kind")
    return next(iter(typing.get_args(field.annotation)), None) if field else None


def _models(annotation: Any) -> Sequence[type[BaseModel]]:
    """Returns the model classes inside an annotation such as `X | None` or `tuple[X, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (annotation,)
    return tuple(model for part in typing.get_args(annotation) for model in _models(part))


def _quoted(value: object) -> str:
    if isinstance(value, str):
        return f"the text {quoted(value)}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "empty"
    if isinstance(value, Mapping):
        return "a set of names and values"
    if isinstance(value, Sequence):
        return "a list"
    return number(value) if isinstance(value, int | float) else f"{value}"


def number(value: float) -> str:
    """Returns a number as sentences show it."""
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


_PULUMI_TYPES: Mapping[str, tuple[str, tuple[type, ...]]] = {
    "a whole number": ("int", (int,)),
    "a number": ("float", (int, float)),
    "true or false": ("bool", (bool,)),
}
"""Values of `pulumi config set --type` (Pulumi 3.274, pkg/cmd/pulumi/config/config.go), by a field's noun."""

_OBJECTS: Mapping[str, type] = {"a list": list, "a set of names and values": dict}


def hint(value: object, noun: str, path: str) -> str:
    """Returns the advice on a value of the wrong kind.

    `pulumi config set --path` writes text, unless it has `--type` or the value is an integer, true or false.
    It cannot write null, a list or a set of names.
    """
    if noun == "text":
        return "write it in quotes"
    if not isinstance(value, str):
        return f"write {noun}"
    try:
        plain = json.loads(value)
    except ValueError:
        return "write it as YAML, not as text" if noun in _OBJECTS else f"write {noun}"
    if len(value) > LONGEST_QUOTED:
        # The text may be a secret in the wrong place, so it is not repeated.
        return "write it without quotes"
    name = path.rpartition(".")[2]
    line = f"write `{value if name.isdigit() else f'{name}: {value}'}` without quotes"
    if plain is None or (noun in _OBJECTS and isinstance(plain, _OBJECTS[noun])):
        return f"{line} into the stack file, because `pulumi config set` writes text"
    option, kinds = _PULUMI_TYPES.get(noun, ("", ()))
    if type(plain) in kinds:
        # Removing an element of a list would move the others.
        return line if name.isdigit() else f"{line}, or run {_commands(path, value, option)}"
    return f"write {noun}"


def _commands(path: str, value: str, kind: str) -> str:
    """Returns the commands that write a typed value over a text at a path of the stack file.

    Without the first one, Pulumi 3.274 leaves a text of the same letters as it is.
    """
    key = f"tpuserve:{path}"
    end = "-- " if value.startswith("-") else ""
    return (
        f"`pulumi config rm --path {key}`, then `pulumi config set --path --type {kind} {end}{key} {value}`"
    )
