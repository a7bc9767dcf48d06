"""Generator of a bare program that declares what a plan declares: flat code of literals over the same SDKs.

It has no components, settings, capacity model or validation, so only the cost of Pulumi itself remains.
References between resources stay, so that the engine sees the same order and the same unknown values.
"""

import json
import re
from typing import Any

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Value by which the CLI writes what a preview does not know (plugin.UnknownStringValue of Pulumi's SDK)."""

REFERENCE = "pulumi:pulumi:StackReference"
KUBERNETES = {
    "core/v1": "core.v1",
    "apps/v1": "apps.v1",
    "batch/v1": "batch.v1",
    "networking.k8s.io/v1": "networking.v1",
    "policy/v1": "policy.v1",
}
"""API groups with classes in the SDK; everything else is a CustomResource."""

HEAD = """
import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as k8s

made = {}


def later(*names):
    return pulumi.Output.all(*(made[name].id for name in names)).apply(lambda ids: ids[0])


def options(provider, after, **others):
    others["provider"] = made[provider] if provider else None
    return pulumi.ResourceOptions(depends_on=[made[name] for name in after], **others)

"""


def key(urn: str) -> str:
    """Returns a resource's type and name, without its parents."""
    kinds, name = urn.split("::")[2:]
    return f"{kinds.split('$')[-1]}::{name}"


def declared(plan: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the resources of `pulumi preview --json` that a provider creates, in their order."""
    states = (step["newState"] for step in plan["steps"] if step["op"] in ("create", "read"))
    return {key(state["urn"]): state for state in states if state["custom"] and _last(state) != "Stack"}


def inputs(state: dict[str, Any]) -> dict[str, Any]:
    """Returns the inputs that a program sets, without what the SDK adds."""
    return {name: value for name, value in state["inputs"].items() if name not in ("__internal", "version")}


def program(plan: dict[str, Any]) -> str:
    """Returns the source of the bare program. Raises KeyError for an unknown type."""
    resources = declared(plan)
    return HEAD + "\n".join(_statement(each, resources) for each in resources.values())


def _last(state: dict[str, Any]) -> str:
    return state["type"].rsplit(":", 1)[1]


def _statement(state: dict[str, Any], resources: dict[str, dict[str, Any]]) -> str:
    made, name = key(state["urn"]), state["urn"].rsplit("::", 1)[1]
    if state["type"] == REFERENCE:
        return f"made[{made!r}] = pulumi.StackReference({name!r}, stack_name={state['inputs']['name']!r})"
    where, given = _class(state)
    dependencies = state.get("propertyDependencies", {})
    words = [
        f"{_snake(field)}={_literal(value, _customs(dependencies.get(field, []), resources))}"
        for field, value in given.items()
    ]
    return f"made[{made!r}] = {where}({name!r}, {', '.join([*words, f'opts={_options(state, resources)}'])})"


def _class(state: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Returns the SDK's class, and the inputs that its constructor takes."""
    package, module, last = state["type"].split(":")
    given = inputs(state)
    if package == "pulumi":
        # Provider configuration holds strings; the provider classes take typed values.
        known = {name: _value(value) for name, value in given.items()}
        return {"gcp": "gcp.Provider", "kubernetes": "k8s.Provider"}[last], known
    if package == "gcp":
        return f"gcp.{module.split('/')[0]}.{last}", given
    if module not in KUBERNETES:
        return "k8s.apiextensions.CustomResource", given
    own = {name: value for name, value in given.items() if name not in ("apiVersion", "kind")}
    return f"k8s.{KUBERNETES[module]}.{last}", own


def _value(text: Any) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _options(state: dict[str, Any], resources: dict[str, dict[str, Any]]) -> str:
    provider = state.get("provider", "").rsplit("::", 1)[0]
    words = [
        repr(key(provider)) if "pulumi:providers" in provider else "None",
        repr(_customs(state.get("dependencies", []), resources)),
    ]
    if state.get("protect"):
        words.append("protect=True")
    if state.get("ignoreChanges"):
        words.append(f"ignore_changes={[*state['ignoreChanges']]!r}")
    if times := state.get("customTimeouts"):
        given = ", ".join(f"{name}='{seconds:.0f}s'" for name, seconds in times.items())
        words.append(f"custom_timeouts=pulumi.CustomTimeouts({given})")
    return f"options({', '.join(words)})"


def _customs(urns: list[str], resources: dict[str, dict[str, Any]]) -> list[str]:
    """Returns those that have an id from a provider."""
    return [name for urn in urns if (name := key(urn)) in resources and resources[name]["type"] != REFERENCE]


def _literal(value: Any, dependencies: list[str]) -> str:
    if isinstance(value, dict):
        items = (f"{name!r}: {_literal(item, dependencies)}" for name, item in value.items())
        return f"{{{', '.join(items)}}}"
    if isinstance(value, list):
        return f"[{', '.join(_literal(item, dependencies) for item in value)}]"
    if value == UNKNOWN:
        return f"later({', '.join(map(repr, dependencies))})"
    return repr(value)


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
