"""Diff: which inputs changed, and whether Google can change them in place."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from tests.standin import sdk
from tests.standin.kind import UNKNOWN, Kind, has_unknown
from tests.standin.shape import join

Change = Literal["add", "delete", "update"]

UNORDERED = {
    # Sets in the provider's schema: a different order is not a change.
    "allows",
    "cidrBlocks",
    "denies",
    "destinationRanges",
    "distributionPolicyZones",
    "members",
    "nodeLocations",
    "oauthScopes",
    "permissions",
    "sourceRanges",
    "subnetworks",
    "tags",
    "targetTags",
}


def changes(
    kind: Kind | None, old: Mapping[str, Any], new: Mapping[str, Any], path: str = ""
) -> Iterator[tuple[str, Change]]:
    """Returns paths such as `nodeConfig.taints[0].key` whose values differ; without a kind, settings of the
    provider."""
    for name in sorted({*old, *new}):
        if name.startswith("__"):
            continue
        yield from _value(kind, old.get(name), new.get(name), join(path, name), name)


def _value(kind: Kind | None, old: Any, new: Any, path: str, name: str) -> Iterator[tuple[str, Change]]:
    if old == new or (_empty(kind, path, old) and _empty(kind, path, new)):
        return
    if new == UNKNOWN or old == UNKNOWN:
        yield path, "update"
    elif old is None:
        yield path, "add"
    elif new is None:
        yield path, "delete"
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from changes(kind, old, new, path)
    elif isinstance(old, list) and isinstance(new, list):
        if name in UNORDERED and not has_unknown(new):
            old, new = sorted(old, key=repr), sorted(new, key=repr)
        for index in range(max(len(old), len(new))):
            before = old[index] if index < len(old) else None
            after = new[index] if index < len(new) else None
            yield from _value(kind, before, after, f"{path}[{index}]", "")
    else:
        yield path, "update"


def _empty(kind: Kind | None, path: str, value: Any) -> bool:
    """Returns whether a value counts as unset: an empty map does, an empty group of inputs does not."""
    if value == {} and kind:
        plain, field = declared(kind, path)
        return field is not None and field.type == "map" and plain == re.sub(r"\[\d+\]", "", path)
    return value is None or value == [] or value == {}


def declared(kind: Kind, path: str) -> tuple[str, sdk.Field | None]:
    """Returns the input that a path belongs to, without indexes and keys of a map, and its declaration."""
    fields, found, taken = sdk.resource(kind.token) or {}, None, []
    for part in re.sub(r"\[\d+\]", "", path).split("."):
        found = fields.get(part)
        if found is None:
            break
        taken.append(part)
        inner = found
        while inner.item and inner.type == "list":
            inner = inner.item
        if inner.type != "object":
            break
        fields = sdk.nested(kind.module, inner.ref)
    return ".".join(taken), found


def replaces(kind: Kind, path: str, old: Any, new: Any) -> bool:
    """Returns whether a change replaces the resource: by this input, or, when a group comes or goes, by any
    input in it."""
    if kind.replaces(declared(kind, path)[0]):
        return True
    group = new if isinstance(new, Mapping | list) else old
    return any(kind.replaces(inner) for inner in _inside(group, path))


def _inside(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield join(path, name)
            yield from _inside(item, join(path, name))
    elif isinstance(value, list):
        for item in value:
            yield from _inside(item, path)


def look(values: Any, path: str) -> Any:
    """Returns the value at a path with indexes; None where there is none."""
    for part in path.replace("[", ".").replace("]", "").split("."):
        if isinstance(values, list) and part.isdigit():
            values = values[int(part)] if int(part) < len(values) else None
        elif isinstance(values, Mapping):
            values = values.get(part)
        else:
            return None
    return values


def live(kind: Kind, old: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the server's values of the inputs that the program had set, for a refresh.

    The real provider leaves out what the program never set, and labels that others added.
    """
    result = _live(kind.module, sdk.resource(kind.token) or {}, old, now)
    for name in ("labels", "resourceLabels"):
        if isinstance(old.get(name), Mapping) and name in result:
            result[name] = {key: value for key, value in result[name].items() if key in old[name]}
    return result


def _live(
    module: str, fields: Mapping[str, sdk.Field], old: Mapping[str, Any], now: Mapping[str, Any]
) -> dict[str, Any]:
    result = {name: value for name, value in old.items() if name.startswith("__")}
    for name, before in old.items():
        if name in now and not name.startswith("__"):
            field, value = fields.get(name), now[name]
            if (
                field
                and field.type == "object"
                and isinstance(before, Mapping)
                and isinstance(value, Mapping)
            ):
                value = _live(module, sdk.nested(module, field.ref), before, value)
            result[name] = value
    return result
