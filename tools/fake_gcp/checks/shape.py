"""The provider's half of Check: names, types and required inputs, as the SDK declares them.

The engine and the SDK let an unknown key in a nested dictionary through; the real provider refuses it.
"""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from tools.fake_gcp.schema import sdk
from tools.fake_gcp.schema.kind import UNKNOWN

Problem = tuple[str, str]
"""Path of the input, and the sentence about it."""

PYTHON = {"string": str, "boolean": bool, "integer": (int, float), "number": (int, float)}


def join(path: str, name: str) -> str:
    """Returns `a` and `b` as `a.b`."""
    return f"{path}.{name}" if path else name


def object_problems(
    module: str, token: str, fields: Mapping[str, sdk.Field], values: Mapping[str, Any], path: str = ""
) -> Iterator[Problem]:
    """Yields the problems of an object whose inputs the SDK declares as `fields`."""
    place = f"{token} {path}".rstrip()
    for name, value in values.items():
        if name.startswith("__"):
            continue
        here = join(path, name)
        if name not in fields:
            near = difflib.get_close_matches(name, fields, 1)
            hint = f"; the nearest that exists is {near[0]!r}" if near else ""
            yield here, f"{place} has no input {name!r}{hint}."
        elif value is not None:
            yield from value_problems(module, token, fields[name], value, here)
    for name, declared in fields.items():
        if declared.required and values.get(name) is None:
            yield join(path, name), f"{place} needs {name!r}, and it is not set."


def value_problems(module: str, token: str, declared: sdk.Field, value: Any, path: str) -> Iterator[Problem]:
    """Yields the problems of one value."""
    if value == UNKNOWN or declared.type in ("any", "asset"):
        return
    if declared.type == "list":
        if not isinstance(value, list):
            yield path, f"{path} of {token} is a list, and {value!r} is none."
            return
        assert declared.item
        for index, item in enumerate(value):
            yield from value_problems(module, token, declared.item, item, f"{path}[{index}]")
    elif declared.type == "map":
        if not isinstance(value, Mapping):
            yield path, f"{path} of {token} maps names to values, and {value!r} does not."
            return
        assert declared.item
        for key, item in value.items():
            yield from value_problems(module, token, declared.item, item, join(path, key))
    elif declared.type == "object":
        if not isinstance(value, Mapping):
            yield path, f"{path} of {token} is a group of inputs, and {value!r} is none."
            return
        yield from object_problems(module, token, sdk.nested(module, declared.ref), value, path)
    else:
        right = isinstance(value, PYTHON[declared.type])
        if declared.type in ("integer", "number"):
            right = right and not isinstance(value, bool)
            if declared.type == "integer":
                right = right and float(value).is_integer()
        if not right:
            yield path, f"{path} of {token} is of type {declared.type}, and {value!r} is not."
