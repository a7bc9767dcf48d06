"""Inputs of the resource types that the fake cloud knows, made from the SDK's declarations."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tools.fake_gcp.schema import kind, provider, sdk
from tools.fake_gcp.schema.kind import Kind

TOKENS = sorted(kind.every())
TABLE: Mapping[str, Any] = json.loads(Path(provider.__file__).with_name("provider.json").read_text("utf-8"))
PLAIN: Mapping[str, tuple[Any, Any]] = {
    "string": ("one", "two"),
    "integer": (1, 2),
    "number": (0.5, 1.5),
    "boolean": (True, False),
    "any": ("one", "two"),
    "asset": ("one", "two"),
}


def listed(token: str, name: str) -> set[str]:
    """Return the paths of one entry of the table."""
    groups = TABLE["types"][token].get(name, {})
    return {f"{above}.{each}".lstrip(".") for above, names in groups.items() for each in names.split()}


def fields(of: Kind) -> Iterator[tuple[str, list[sdk.Field]]]:
    """Yield each input with the declarations on the way to it."""

    def walk(
        found: Mapping[str, sdk.Field], path: str, way: list[sdk.Field], above: tuple[str, ...]
    ) -> Iterator[tuple[str, list[sdk.Field]]]:
        for name, field in found.items():
            here = f"{path}.{name}".lstrip(".")
            if here in of.unsupported:
                continue
            yield here, [*way, field]
            ref = sdk.innermost(field).ref
            if ref and ref not in above:
                yield from walk(sdk.nested(of.module, ref), here, [*way, field], (*above, ref))

    yield from walk(sdk.resource(of.token) or {}, "", [], ())


def plain(of: Kind, field: sdk.Field, which: int) -> Any:
    """Return one of two values of an input's type."""
    if field.type == "list":
        assert field.item
        return [plain(of, field.item, which)]
    if field.type == "map":
        assert field.item
        return {"key": plain(of, field.item, which)}
    if field.type == "object":
        for name, inner in sdk.nested(of.module, field.ref).items():
            if sdk.innermost(inner).type != "object":
                return {name: plain(of, inner, which)}
        return {}
    return PLAIN[field.type][which]


def around(path: str, way: list[sdk.Field], value: Any) -> dict[str, Any]:
    """Return inputs in which only this path is set; None leaves the groups above it empty."""
    for name, field in reversed(list(zip(path.split("."), [None, *way[:-1]], strict=True))):
        value = {} if value is None else {name: value}
        while field and field.type == "list":
            value, field = [value], field.item
    return value
