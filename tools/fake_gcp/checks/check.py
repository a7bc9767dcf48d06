"""Check: whether the real provider and Google would accept the inputs."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from tools.fake_gcp.checks import diff, request, rules, shape, values
from tools.fake_gcp.checks.shape import Problem
from tools.fake_gcp.schema import kind, provider, sdk
from tools.fake_gcp.schema.kind import UNKNOWN, Kind

AUTONAMED = "__defaults"
REFUSED = {
    "gcp:secretmanager/secretVersion:SecretVersion": (
        "it would put a secret value into the program's state; add the version out of band, with "
        "`gcloud secrets versions add`."
    ),
}
"""Types that the real provider has and that this project must not use, with the reason."""


def check(token: str, inputs: Mapping[str, Any], config: values.Config) -> list[Problem]:
    """Returns every problem, each with a sentence; empty when Google would accept the inputs."""
    of = kind.find(token)
    if token in REFUSED:
        return [("", f"{token} is refused here: {REFUSED[token]}")]
    if of is None:
        return [
            (
                "",
                f"The fake Google Cloud does not know {token}. It knows {len(kind.every())} types "
                "(tools/fake_gcp/schema/kinds); add the type there, with its API method, before a program "
                "uses it.",
            )
        ]
    fields = sdk.resource(token) or {}
    found = list(shape.object_problems(of.module, token, fields, inputs))
    found += provider_problems(of, inputs)
    if found:
        return found
    inputs = values.physical(inputs)
    found = list(request.url_problems(of, values.variables(of, inputs, config)))
    found += request.build(of, inputs)[1]
    found += rules.problems(of, inputs, config)
    return found


def provider_problems(of: Kind, inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what the provider refuses by its table: other words, unknown inputs, what only Google sets."""
    table = provider.of(of.token)
    for path, value in leaves(inputs):
        here = diff.plain(of, path)
        if here in table.newer:
            yield (
                path,
                f"{path} of {of.token} is not in the schema of {provider.version()}, from which the fake "
                "cloud learns what a change does; derive tools/fake_gcp/schema/provider.json from a newer "
                "one (tools/fake_gcp/README.md).",
            )
        elif here in table.outputs:
            yield path, f"{path} of {of.token} is set by Google; the provider does not take it."
        words = table.values.get(here)
        if words and value != UNKNOWN and isinstance(value, str) and value not in words:
            yield path, f"{path} of {of.token}: the provider accepts {', '.join(words)}; {value!r} was given."


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each plain value with its path."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if not name.startswith("__"):
                yield from leaves(item, shape.join(path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}[{index}]")
    elif value is not None:
        yield path, value


def named(
    token: str, name: str, inputs: dict[str, Any], olds: Mapping[str, Any], seed: bytes
) -> dict[str, Any]:
    """Returns the inputs with a physical name where the program gave none: the one that it had, or one with
    seven random digits, as the real provider's automatic naming does."""
    field = (sdk.resource(token) or {}).get("name")
    if field is None or field.required or "name" in inputs or "namePrefix" in inputs:
        return inputs
    chosen = olds.get("name")
    if chosen is None or "name" not in olds.get(AUTONAMED, []):
        chosen = f"{name}-{hashlib.sha256(seed + name.encode()).hexdigest()[:7]}"
    return {**inputs, "name": chosen, AUTONAMED: ["name"]}
