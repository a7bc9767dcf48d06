"""Google's discovery documents: the fields that each API's methods and messages accept.

The documents come with google-api-python-client (`googleapiclient/discovery_cache/documents`), so nothing is
downloaded. Only the GA documents are used: a field that exists only in a beta API is refused.
"""

import functools
import importlib.util
import json
from pathlib import Path
from typing import Any

VERSIONS = {
    "artifactregistry": "v1",
    "billingbudgets": "v1",
    "certificatemanager": "v1",
    "cloudkms": "v1",
    "cloudresourcemanager": "v3",
    "compute": "v1",
    "container": "v1",
    "dns": "v1",
    "iam": "v1",
    "logging": "v2",
    "monitoring": "v3",
    "secretmanager": "v1",
    "serviceusage": "v1",
    "storage": "v1",
    "tpu": "v2",
}


@functools.cache
def document(api: str) -> dict[str, Any]:
    """Returns the whole document of an API such as `container`."""
    spec = importlib.util.find_spec("googleapiclient")
    assert spec and spec.origin, (
        "google-api-python-client is not installed: run pip install -r requirements/dev.txt"
    )
    name, _, version = api.partition(":")
    file = f"{name}.{version or VERSIONS[name]}.json"
    folder = Path(spec.origin).parent / "discovery_cache" / "documents"
    return json.loads((folder / file).read_text(encoding="utf-8"))


@functools.cache
def method(identity: str) -> dict[str, Any]:
    """Returns one method by its id, such as `container.projects.locations.clusters.nodePools.create`."""
    api, *path, last = identity.split(".")
    node = document(api)
    for part in path:
        node = node["resources"][part]
    return node["methods"][last]


def schema(api: str, name: str) -> dict[str, Any]:
    """Returns one message by name."""
    return document(api)["schemas"][name]


def properties(api: str, node: dict[str, Any]) -> dict[str, Any]:
    """Returns the fields of a message, following its reference; empty for anything else."""
    if "$ref" in node:
        node = schema(api, node["$ref"])
    return node.get("properties", {})
