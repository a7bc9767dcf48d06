"""Check: whether the real provider and Google would accept the inputs."""

import hashlib
from collections.abc import Mapping
from typing import Any

from tests.standin import kind, request, rules, sdk, shape, values
from tests.standin.shape import Problem

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
                f"The stand-in for Google Cloud does not know {token}. It knows {len(kind.every())} types "
                "(tests/standin/kinds); add the type there, with its API method, before a program uses it.",
            )
        ]
    fields = sdk.resource(token) or {}
    found = list(shape.object_problems(of.module, token, fields, inputs))
    if found:
        return found
    inputs = values.physical(inputs)
    found = list(request.url_problems(of, values.variables(of, inputs, config)))
    found += request.build(of, inputs)[1]
    found += rules.problems(of, inputs, config)
    return found


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
