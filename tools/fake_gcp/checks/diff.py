"""Diff: which inputs changed, and whether Google can change them in place."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from tools.fake_gcp.checks.shape import join
from tools.fake_gcp.schema import conditions, provider, sdk
from tools.fake_gcp.schema.kind import UNKNOWN, Kind, has_unknown

Change = Literal["add", "delete", "update"]


def changes(
    kind: Kind | None, old: Mapping[str, Any], new: Mapping[str, Any], path: str = ""
) -> Iterator[tuple[str, Change]]:
    """Returns paths such as `nodeConfig.taints[0].key` whose values differ; without a kind, settings of the
    provider."""
    for name in sorted({*old, *new}):
        if name.startswith("__"):
            continue
        yield from _value(kind, old.get(name), new.get(name), join(path, name))


def _value(kind: Kind | None, old: Any, new: Any, path: str) -> Iterator[tuple[str, Change]]:
    none_before = _empty(kind, path, old)
    if old == new or (none_before and _empty(kind, path, new)):
        return
    if new == UNKNOWN or old == UNKNOWN:
        yield path, "update"
    elif none_before:
        if not _default(kind, path, new):
            yield path, "add"
    elif new is None or new == []:
        if not _stays(kind, path, old):
            yield path, "delete"
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from changes(kind, old, new, path)
    elif isinstance(old, list) and isinstance(new, list):
        if kind and plain(kind, path) in provider.of(kind.token).sets and not has_unknown(new):
            old, new = sorted(old, key=repr), sorted(new, key=repr)
        for index in range(max(len(old), len(new))):
            before = old[index] if index < len(old) else None
            after = new[index] if index < len(new) else None
            yield from _value(kind, before, after, f"{path}[{index}]")
    else:
        yield path, "update"


def _default(kind: Kind | None, path: str, value: Any) -> bool:
    """Return whether a value is the provider's own default, which need not be stated."""
    defaults = provider.of(kind.token).defaults if kind else {}
    here = _bare(path)
    return here in defaults and defaults[here] == value


def _stays(kind: Kind | None, path: str, value: Any) -> bool:
    """Return whether an input that is no longer stated has the same value: Google's, or the default."""
    if kind is None or path.endswith("]"):
        return False
    here, table = _bare(path), provider.of(kind.token)
    # The elements of a set have no place in which a value could be kept.
    in_set = any(here.startswith(f"{each}.") for each in table.sets)
    return (here in table.filled and not in_set) or _default(kind, path, value)


def _bare(path: str) -> str:
    """Strip a path of its indexes."""
    return re.sub(r"\[\d+\]", "", path)


def with_filled(kind: Kind, old: Mapping[str, Any], new: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Add to the new inputs those of the old ones that Google keeps when they are no longer stated."""
    result = dict(new)
    for name, before in old.items():
        here, after = join(path, name), new.get(name)
        if name.startswith("__") or _empty(kind, here, before):
            continue
        if after is None or after == []:
            if here in provider.of(kind.token).filled:
                result[name] = before
        elif isinstance(before, Mapping) and isinstance(after, Mapping):
            result[name] = with_filled(kind, before, after, here)
    return result


def _empty(kind: Kind | None, path: str, value: Any) -> bool:
    """Returns whether a value counts as unset: an empty map does, an empty group of inputs does not."""
    if value == {} and kind:
        found, field = declared(kind, path)
        return field is not None and field.type == "map" and found == _bare(path)
    return value is None or value == [] or value == {}


def declared(kind: Kind, path: str) -> tuple[str, sdk.Field | None]:
    """Returns the input that a path belongs to, without indexes and keys of a map, and its declaration."""
    fields, found, taken = sdk.resource(kind.token) or {}, None, []
    for part in _bare(path).split("."):
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


def plain(kind: Kind, path: str) -> str:
    """Return the path of the input that a path belongs to, without indexes and keys of a map."""
    return declared(kind, path)[0]


def replaces(kind: Kind, path: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Return whether a change at `path` replaces the thing whose old and new inputs these are.

    The input itself may replace, or, where a whole group comes or goes, anything in it.
    """
    table = provider.of(kind.token)
    here, before, after = plain(kind, path), look(old, path), look(new, path)
    if here in table.replaces or (table.labels_replace and here == "labels"):
        return True
    default = table.defaults.get(here)
    first, last = (default if value is None else value for value in (before, after))
    if conditions.replaces(kind.token, here, first, last, new):
        return True
    group = after if isinstance(after, Mapping | list) else before
    return any(inner in table.replaces for inner in _inside(group, here))


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
