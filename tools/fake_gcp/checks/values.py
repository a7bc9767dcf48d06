"""Values from which ids, URLs and outputs are built, and the outputs themselves."""

import datetime
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from tools.fake_gcp.checks.request import expand
from tools.fake_gcp.schema import sdk
from tools.fake_gcp.schema.kind import UNKNOWN, Kind

Config = Mapping[str, Any]
"""Configuration of the provider: project, region, zone, defaultLabels."""

ATTRIBUTION = {"goog-pulumi-provisioned": "true"}
LABELS = {"gcp:container/cluster:Cluster": "resourceLabels"}


def last(reference: Any) -> Any:
    """Returns the name at the end of an id, a self link or a name."""
    return str(reference).rstrip("/").split("/")[-1] if isinstance(reference, str) else reference


def number(project: str) -> str:
    """Returns a project number that is the same for the same project."""
    return str(10**11 + int(hashlib.sha256(project.encode()).hexdigest(), 16) % (9 * 10**11))


def serial(key: str) -> str:
    """Returns a number like the one that Google gives to each object."""
    return str(10**18 + int(hashlib.sha256(key.encode()).hexdigest(), 16) % (8 * 10**18))


def variables(kind: Kind, inputs: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """Returns `project`, `region`, `zone`, `location` and each plain input; references are cut to their last
    part."""
    words: dict[str, Any] = {
        name: value for name, value in inputs.items() if isinstance(value, str | int | float | bool)
    }
    for name in kind.refs:
        if name in words and words[name] != UNKNOWN:
            reference = str(words[name])
            for part in ("location", "region", "zone", "project"):
                if found := re.search(rf"(?:^|/){part}s/([^/]+)/", reference):
                    words.setdefault(part, found[1])
            words[name] = last(reference)
    for name in ("region", "zone"):
        if name in words:
            words[name] = last(words[name])
    project = words.setdefault("project", config.get("project"))
    zone = words.setdefault("zone", config.get("zone"))
    region = config.get("region") or (re.sub(r"-[a-z]$", "", zone) if isinstance(zone, str) else None)
    words.setdefault("region", region)
    words.setdefault("location", kind.defaults.get("location") or config.get("region") or config.get("zone"))
    words["number"] = number(project) if isinstance(project, str) and project != UNKNOWN else project
    return words


def identity(kind: Kind, inputs: Mapping[str, Any], config: Config) -> str | None:
    """Returns the id that the real provider would give."""
    words = variables(kind, inputs, config)
    if "{serial}" in kind.id:
        words["serial"] = serial(str(sorted(words.items())))
    return expand(kind.id, words)


def labels(kind: Kind, inputs: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """Returns the provider's label outputs: its defaults, and the label that Pulumi created the resource."""
    name = LABELS.get(kind.token, "labels")
    if name not in (sdk.resource(kind.token) or {}) or kind.module == "monitoring":
        return {}
    given = inputs.get(name) or {}
    if given == UNKNOWN:
        return {"effectiveLabels": UNKNOWN, "pulumiLabels": UNKNOWN}
    default = config.get("defaultLabels") or {}
    own = ATTRIBUTION if config.get("addPulumiAttributionLabel", True) else {}
    everything = {**own, **default, **given}
    return {"effectiveLabels": everything, "pulumiLabels": {**default, **given}}


def unique() -> str:
    """Returns 26 digits, which the provider appends to a `namePrefix`: the time first, so that names sort."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y%m%d%H%M%S%f").ljust(26, "0")


def physical(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the inputs with a new name for each creation, where the program gave a `namePrefix`."""
    if "namePrefix" in inputs and "name" not in inputs:
        return {**inputs, "name": inputs["namePrefix"] + unique()}
    return dict(inputs)


def fill(template: Any, words: Mapping[str, Any]) -> Any:
    """Returns a template with its words filled in, in strings, lists and groups."""
    if isinstance(template, str):
        return expand(template, words) or ""
    if isinstance(template, list):
        return [fill(item, words) for item in template]
    if isinstance(template, Mapping):
        return {name: fill(item, words) for name, item in template.items()}
    return template


def computed(
    kind: Kind, inputs: Mapping[str, Any], config: Config, *, id: str, time: str, defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the outputs that are not inputs, as Google and the provider set them on creation."""
    words = variables(kind, inputs, config)
    digest = hashlib.sha256(id.encode()).digest()
    words |= {
        "id": id,
        "serial": serial(id),
        "time": time,
        "ip": f"10.{digest[0]}.{digest[1]}.{2 + digest[2] % 250}",
    }
    result = {name: fill(template, words) for name, template in {**defaults, **kind.computed}.items()}
    if "project" in (sdk.resource(kind.token) or {}):
        result["project"] = words["project"]
    result |= labels(kind, inputs, config)
    return result


def merge(outputs: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Returns inputs laid over outputs, group by group."""
    result = dict(outputs)
    for name, value in inputs.items():
        if name.startswith("__"):
            continue
        below = result.get(name)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            result[name] = merge(below, value)
        else:
            result[name] = value
    return result


def planned(kind: Kind, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Returns outputs as a preview of a creation shows them: unknown, except those that the provider knows
    itself."""
    known = {"project", "effectiveLabels", "pulumiLabels", *kind.known}
    return {name: value if name in known else UNKNOWN for name, value in outputs.items()}
