"""Google's half of Check: whether a message satisfies its schema in the discovery document."""

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tools.fake_gcp.checks.shape import Problem, join
from tools.fake_gcp.schema import discovery
from tools.fake_gcp.schema.kind import UNKNOWN, has_unknown

RANGES = {
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
}
FORMATS = {
    # https://protobuf.dev/reference/protobuf/google.protobuf/#duration and #timestamp, as JSON.
    "google-duration": (r"-?\d+(\.\d{1,9})?s", 'a number of seconds such as "3600s"'),
    "google-datetime": (
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)",
        'a time such as "2026-01-01T00:00:00Z"',
    ),
    "date": (r"\d{4}-\d\d-\d\d", 'a date such as "2026-01-01"'),
    "byte": (r"[A-Za-z0-9+/_-]*={0,2}", "base64"),
}


def _output_only(node: Mapping[str, Any]) -> bool:
    text = node.get("description", "")
    return bool(node.get("readOnly")) or text.lower().startswith(("[output only]", "output only."))


def problems(
    api: str, method: str, node: Mapping[str, Any], value: Any, path: str, message: str = ""
) -> Iterator[Problem]:
    """Yields what Google would refuse in `value`; `path` is the Pulumi input that it came from.

    `method` is the id of the method that is called: some fields are required only by some methods.
    """
    if value == UNKNOWN:
        return
    if "$ref" in node:
        message = node["$ref"]
        node = discovery.schema(api, message)
    kind = node.get("type", "any")
    where = f"Google's {api} API ({message})" if message else f"Google's {api} API"
    if kind == "object":
        yield from _object_problems(api, method, node, value, path, message, where)
    elif kind == "array":
        if not isinstance(value, list):
            yield path, f"{path}: {where} takes a list, and {value!r} is none."
            return
        for index, item in enumerate(value):
            place = f"{path}[{index}]" if len(value) > 1 else path
            yield from problems(api, method, node["items"], item, place, message)
    else:
        yield from _scalar_problems(node, value, path, where)


def _object_problems(
    api: str, method: str, node: Mapping[str, Any], value: Any, path: str, message: str, where: str
) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        yield path, f"{path}: {where} takes a group of fields, and {value!r} is none."
        return
    known = node.get("properties", {})
    for name, item in value.items():
        here = join(path, name)
        if name in known:
            if _output_only(known[name]):
                yield here, f"{here}: {where} sets {name!r} itself; it cannot be given."
            else:
                yield from problems(api, method, known[name], item, here, message)
        elif "additionalProperties" in node:
            yield from problems(api, method, node["additionalProperties"], item, here, message)
        elif message:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; the nearest is {near[0]!r}" if near else ""
            yield here, f"{here}: {where} has no field {name!r}{hint}."
    for name, declared in known.items():
        if method in declared.get("annotations", {}).get("required", ()) and name not in value:
            yield join(path, name), f"{where} needs {name!r} to create it, and nothing sets it."


def _scalar_problems(node: Mapping[str, Any], value: Any, path: str, where: str) -> Iterator[Problem]:
    kind, layout = node.get("type", "any"), node.get("format", "")
    if kind == "any":
        return
    if kind == "boolean":
        if not isinstance(value, bool):
            yield path, f"{path}: {where} takes true or false, and {value!r} is neither."
    elif kind in ("integer", "number") or layout in ("int64", "uint64"):
        number = _number(value)
        if number is None or (kind != "number" and not number.is_integer()):
            yield path, f"{path}: {where} takes a number here, and {value!r} is none."
        elif kind != "number":
            low, high = RANGES.get(layout, (-(2**63), 2**63))
            low, high = int(node.get("minimum", low)), int(node.get("maximum", high))
            if not low <= number <= high:
                yield path, f"{path}: {where} takes {low} to {high}, and {value!r} is outside."
    elif not isinstance(value, str):
        yield path, f"{path}: {where} takes a text, and {value!r} is none."
    elif has_unknown(value):
        return
    elif "enum" in node:
        allowed = [word for word in node["enum"] if not word.endswith("UNSPECIFIED")]
        if value not in allowed:
            yield path, f"{path}: {where} accepts {', '.join(allowed)}; {value!r} was given."
    elif "pattern" in node and not re.fullmatch(node["pattern"], value):
        yield path, f"{path}: {where} takes names that match {node['pattern']}, and {value!r} does not."
    elif layout in FORMATS and not re.fullmatch(FORMATS[layout][0], value):
        yield path, f"{path}: {where} takes {FORMATS[layout][1]}, and {value!r} is none."


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None
