"""Flags of `vllm serve` that have no field: checked against the parser's own types, and rendered."""

import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, cast

from serving.engine.flag_verdicts import EXTRA, REFUSED, Extra, Need
from serving.engine.server_flags import ServerFlag, flag_of, is_negation
from serving.messages.finding import VERSION
from serving.messages.suggest import nearest, quoted
from serving.messages.unsupported_options import FOREIGN
from serving.messages.validation_errors import hint, number

_NOUNS = {
    "switch": "true or false",
    "on": "true",
    "integer": "a whole number",
    "number": "a number",
    "text": "text",
    "json": "a set of names and values",
}


def advice_on_flag(name: str, fields: Mapping[str, str]) -> str | None:
    """Returns what to do about the flag that `name` spells, where the engine has no field of that name; None
    where `name` is no flag. `fields` maps each flag that a field renders to the field.
    """
    flag = flag_of(name)
    if flag is None:
        return None
    value = ": false" if is_negation(name, flag) else ""
    if flag.flag in fields:
        return f"write {fields[flag.flag]}{value}"
    if flag.name in EXTRA:
        return f"it is a flag without a field; write it as extra_flags.{flag.name}{value}"
    return REFUSED.get(flag.name) or FOREIGN[flag.name]


def extra_flag_problem(name: str, value: object, fields: Mapping[str, str]) -> str | None:
    """Returns why extra_flags cannot set `name` to `value`, as a sentence without its end; None when it
    can.
    """
    if name not in EXTRA:
        flag = flag_of(name)
        negated = f": {'true' if value is False else 'false'}" if flag and is_negation(name, flag) else ""
        if flag is not None and flag.name in EXTRA:
            return f"write {quoted(name)} as {flag.name}{negated}"
        if flag is not None and flag.flag in fields:
            return f"{name} is a field of the engine; write engine.{fields[flag.flag]}{negated}"
        advice = advice_on_flag(name, fields) or FOREIGN.get(name.lower().replace("-", "_"))
        if advice:
            return f"{name} cannot be set here: {advice}"
        near = nearest(name, EXTRA)
        change = f"the nearest is {near}; correct or remove it" if near else "remove it"
        return f"{quoted(name)} is no flag of vllm serve ({VERSION}); {change}"
    return _value_problem(_flag(name), EXTRA[name], value)


def _flag(name: str) -> ServerFlag:
    flag = flag_of(name)
    assert flag is not None and flag.name == name, name
    return flag


def _value_problem(flag: ServerFlag, extra: Extra, value: object) -> str | None:
    path = f"engine.extra_flags.{flag.name}"
    values = cast(list[object], value) if flag.many and isinstance(value, list) else [value]
    if flag.many and not (isinstance(value, list) and values):
        return f"{flag.name} must be a list; {hint(cast(object, value), 'a list', path)}"
    for item in values:
        if not _fits(flag, item):
            return f"{flag.name} must be {_NOUNS[flag.kind]}; {hint(item, _NOUNS[flag.kind], path)}"
    choices = extra.values or flag.choices
    if choices and not all(item in choices for item in values):
        return f"{flag.name} must be one of {', '.join(map(str, choices))}; write one of them"
    if flag.kind == "text" and any(str(item).startswith("-") or not item for item in values):
        return f"{flag.name} is empty or begins with a dash, which the parser reads as a flag; change it"
    if extra.keys:
        return _bounds_problem(flag.name, extra.keys, cast(Mapping[str, object], value))
    for item in values:
        size = cast(float, item)
        if extra.least is not None and size < extra.least:
            return f"{flag.name} is {number(size)}; it must be at least {number(extra.least)}; raise it"
        if extra.most is not None and size > extra.most:
            return f"{flag.name} is {number(size)}; it must be at most {number(extra.most)}; lower it"
    return None


def _bounds_problem(name: str, keys: tuple[str, ...], value: Mapping[str, object]) -> str | None:
    """Returns what is wrong with a JSON object of rising lists of numbers, as vLLM checks it at boot."""
    for key, bounds in value.items():
        if key not in keys:
            return f"{name} has {quoted(key)}; possible are {', '.join(keys)}; write one of them"
        numbers = cast(list[Any], bounds) if isinstance(bounds, list) else []
        plain = all(isinstance(number, int | float) and not isinstance(number, bool) for number in numbers)
        if not numbers or not plain or min(numbers) <= 0 or any(a >= b for a, b in pairwise(numbers)):
            return f"{name}.{key} must be a list of rising numbers above 0; write such a list"
    return None


def _fits(flag: ServerFlag, value: object) -> bool:
    if flag.kind in ("switch", "on"):
        return value is True or (value is False and flag.kind == "switch")
    if isinstance(value, bool):
        return False
    types: Mapping[str, Any] = {"integer": int, "number": int | float, "text": str, "json": dict}
    return isinstance(value, types[flag.kind])


def words(flags: Mapping[str, object]) -> Iterator[str]:
    """Yields the command line of checked flags, by name."""
    for name, value in sorted(flags.items()):
        flag = _flag(name)
        if flag.kind == "switch":
            yield flag.flag if value else flag.flag.replace("--", "--no-", 1)
        elif flag.kind == "on":
            yield flag.flag
        else:
            items = cast(list[object], value) if flag.many else [value]
            yield flag.flag
            yield from (
                json.dumps(item, separators=(",", ":"), sort_keys=True) if flag.kind == "json" else str(item)
                for item in items
            )


def unmet_need(flags: Mapping[str, object], fields: Mapping[str, object]) -> str | None:
    """Returns the sentence, without its end, about the first flag whose need no other flag and no field of
    the engine meets; None when each need is met.
    """
    settings = {**fields, **flags}
    for name, value in flags.items():
        need = _need(name, value)
        if need is None:
            continue
        setting = settings.get(need.setting)
        if bool(setting) if need.value is None else setting == need.value:
            continue
        flag = f"extra_flags.{name}"
        where = f": {need.where}" if need.where else ""
        path = f"engine.{'extra_flags.' if need.setting in EXTRA else ''}{need.setting}"
        if need.value is not None:
            text = "true" if need.value is True else need.value
            return f"{flag}{where} needs {need.setting}: {text}; set {path} to {text}, or remove {flag}"
        least = " above 0" if _flag(need.setting).kind == "integer" else ""
        return f"{flag}{where} needs {need.setting}{least}; set {path}{least}, or remove {flag}"
    return None


def _need(name: str, value: object) -> Need | None:
    need = EXTRA[name].need
    return need if need is not None and need.where in (None, value) else None


def without(flags: Mapping[str, object], setting: str) -> dict[str, object]:
    """Returns the flags without `setting`, a flag or a field of the engine, and without those that need it,
    each other's needs included.
    """
    rest = {name: value for name, value in flags.items() if name != setting}
    for name, value in flags.items():
        need = _need(name, value)
        if name in rest and need is not None and need.setting == setting:
            rest = without(rest, name)
    return rest


def program_flags(flags: Mapping[str, object]) -> dict[str, object]:
    """Returns the flags that change what is compiled."""
    return {name: value for name, value in sorted(flags.items()) if EXTRA[name].programs}
