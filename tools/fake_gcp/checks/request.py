"""Translation of Pulumi's inputs into the request for Google, with checks."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tools.fake_gcp.checks import message
from tools.fake_gcp.checks.shape import Problem, join
from tools.fake_gcp.schema import discovery, sdk
from tools.fake_gcp.schema.kind import UNKNOWN, Kind


def build(kind: Kind, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Returns the request's body, and what Google would refuse in it. `inputs` must have passed `shape`."""
    body: dict[str, Any] = {}
    found: list[Problem] = []
    creation = discovery.method(kind.method)
    root = creation.get("request", {})
    if not root:
        return body, found
    start, schema = _descend(kind.api, body, root, kind.body) if kind.body else (body, root)
    fields = sdk.resource(kind.token) or {}
    _fill(kind, fields, inputs, "", start, schema, (body, root), found)
    found += message.problems(kind.api, kind.method, root, body, "")
    return body, [(_pulumi_path(kind, path), text) for path, text in found]


def enums(kind: Kind) -> dict[str, tuple[str, ...]]:
    """Return Google's words by input, for each input that becomes a field with an enum."""
    root = discovery.method(kind.method).get("request", {})
    start = _node(kind.api, root, kind.body) if kind.body else root
    assert start is not None
    return dict(_enums(kind, sdk.resource(kind.token) or {}, "", start, root))


def _enums(
    kind: Kind, fields: Mapping[str, sdk.Field], path: str, schema: dict[str, Any], root: dict[str, Any]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, field in fields.items():
        here = join(path, name)
        target = kind.target(here)
        if here in kind.unsupported or target == "" or callable(target):
            continue
        word = target or name
        node = _node(kind.api, root if word.startswith("/") else schema, word.lstrip("/"))
        while node and node.get("type") == "array":
            node = _resolved(kind.api, node["items"])
        inner = sdk.innermost(field)
        if node and inner.type == "object":
            yield from _enums(kind, sdk.nested(kind.module, inner.ref), here, node, root)
        elif node and "enum" in node:
            yield here, tuple(node["enum"])


def _resolved(api: str, node: dict[str, Any]) -> dict[str, Any]:
    return discovery.schema(api, node["$ref"]) if "$ref" in node else node


def _node(api: str, schema: dict[str, Any], path: str) -> dict[str, Any] | None:
    """Return the schema at `a.b[].c` inside another; None where Google has no such field."""
    for part in path.split("."):
        found = discovery.properties(api, schema).get(part.removesuffix("[]"))
        if found is None:
            return None
        schema = _resolved(api, found)
        if part.endswith("[]"):
            schema = _resolved(api, schema.get("items", schema))
    return schema


def _fill(
    kind: Kind,
    fields: Mapping[str, sdk.Field],
    values: Mapping[str, Any],
    path: str,
    out: dict[str, Any],
    schema: dict[str, Any],
    root: tuple[dict[str, Any], dict[str, Any]],
    found: list[Problem],
) -> None:
    """Put the inputs of one object into the message `out`."""
    for name, value in values.items():
        if name.startswith("__") or value is None:
            continue
        here = join(path, name)
        target = kind.target(here)
        if reason := kind.unsupported.get(here):
            found.append((here, f"{here} of {kind.token}: {reason}"))
        elif target == "":
            continue
        elif callable(target):
            if value != UNKNOWN:
                try:
                    _merge(out, target(value))
                except ValueError as error:
                    found.append((here, f"{here} of {kind.token} cannot be read: {error}."))
        else:
            place, node, word = out, schema, target or name
            if word.startswith("/"):
                (place, node), word = root, word[1:]
            _set(kind, fields[name], value, here, place, node, word, root, found)


def _set(
    kind: Kind,
    declared: sdk.Field,
    value: Any,
    path: str,
    out: dict[str, Any],
    schema: dict[str, Any],
    word: str,
    root: tuple[dict[str, Any], dict[str, Any]],
    found: list[Problem],
) -> None:
    """Put one input at `word` (such as `metadata.items` or `guestOsFeatures[].type`) of a message."""
    *stem, last = word.split(".")
    if isinstance(value, list) and stem and stem[-1].endswith("[]"):
        place, _ = _descend(kind.api, out, schema, ".".join(stem[:-1])) if stem[:-1] else (out, schema)
        place[stem[-1][:-2]] = [{last: item} for item in value]
        return
    place, node = _descend(kind.api, out, schema, ".".join(stem)) if stem else (out, schema)
    single = last.endswith("[]")
    last = last.removesuffix("[]")
    known = discovery.properties(kind.api, node)
    if last not in known:
        found.append((path, f"{path} of {kind.token}: the fake cloud does not know how Google takes it."))
        return
    result = _convert(kind, declared, value, path, known[last], single, root, found)
    place[last] = [result] if single else result


def _convert(
    kind: Kind,
    declared: sdk.Field,
    value: Any,
    path: str,
    node: dict[str, Any],
    single: bool,
    root: tuple[dict[str, Any], dict[str, Any]],
    found: list[Problem],
) -> Any:
    if value == UNKNOWN:
        return value
    node = discovery.schema(kind.api, node["$ref"]) if "$ref" in node else node
    if single:
        node = node.get("items", {})
    if declared.type == "list" and isinstance(value, list) and declared.item:
        return [
            _convert(kind, declared.item, item, path, node.get("items", node), False, root, found)
            for item in value
        ]
    if declared.type == "object" and isinstance(value, Mapping):
        inner: dict[str, Any] = {}
        _fill(kind, sdk.nested(kind.module, declared.ref), value, path, inner, node, root, found)
        return inner
    if node.get("format") in ("int64", "uint64") and isinstance(value, int | float):
        return str(int(value))
    if declared.type in ("integer",) and isinstance(value, float):
        return int(value)
    return value


def _descend(
    api: str, out: dict[str, Any], schema: dict[str, Any], path: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the message at `path` inside `out`, created if needed, with its schema."""
    for part in path.split("."):
        name = part.removesuffix("[]")
        node = discovery.properties(api, schema).get(name)
        assert node is not None, f"{api} has no {name!r} in {schema}"
        if part.endswith("[]"):
            out = out.setdefault(name, [{}])[0]
            schema = node["items"]
        else:
            out = out.setdefault(name, {})
            schema = node
    return out, schema


def _merge(into: dict[str, Any], part: Mapping[str, Any]) -> None:
    for name, value in part.items():
        if isinstance(value, Mapping) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        elif isinstance(value, list) and isinstance(into.get(name), list):
            into[name] += value
        else:
            into[name] = value


def _pulumi_path(kind: Kind, path: str) -> str:
    """Returns the Pulumi input that became the API's field at `path`, as near as the table knows."""
    bare = path.removeprefix(kind.body.replace("[]", "") + ".") if kind.body else path
    for source, target in kind.rename.items():
        if isinstance(target, str) and target:
            plain = target.lstrip("/").replace("[]", "")
            if bare == plain or bare.startswith(plain + "."):
                return source + bare[len(plain) :]
    return bare


def url_problems(kind: Kind, variables: Mapping[str, Any]) -> Iterator[Problem]:
    """Yields the parts of the URL that do not match the patterns that the method declares for its
    parameters."""
    for name, declared in discovery.method(kind.method).get("parameters", {}).items():
        template = kind.url.get(name, "{" + name + "}" if name in variables else "")
        if not template:
            continue
        value = expand(template, variables)
        if value is None:
            missing = ", ".join(
                f"{part!r}" for part in re.findall(r"{(\w+)}", template) if not variables.get(part)
            )
            yield (
                "",
                f"{kind.token} needs {missing}: set it on the resource, or as the provider's default.",
            )
        elif "pattern" in declared and UNKNOWN not in value and not re.fullmatch(declared["pattern"], value):
            yield (
                name,
                f"{name} of {kind.token}: Google's {kind.api} API takes what matches "
                f"{declared['pattern']}, and {value!r} does not.",
            )


def expand(template: str, variables: Mapping[str, Any]) -> str | None:
    """Fill `{name}` in; None when one is missing."""
    names = re.findall(r"{(\w+)}", template)
    if any(variables.get(name) in (None, "") for name in names):
        return None
    return re.sub(r"{(\w+)}", lambda found: str(variables[found[1]]), template)
