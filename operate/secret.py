"""API key of a stack on Google Cloud: a secret of Secret Manager, named by the foundation's outputs."""

import base64
import secrets
from collections.abc import Mapping
from typing import Any

from config.targets import GkeTarget, TpuVmTarget
from operate import google_api, outputs
from tools.support.errors import Refusal

ACCESSOR = "roles/secretmanager.secretAccessor"
ADDER = "roles/secretmanager.secretVersionAdder"


def read(stack: str, target: GkeTarget | TpuVmTarget) -> str:
    """Returns the first key of the secret's latest version. Raises Refusal."""
    name = _name(stack, target)
    request = _secrets().versions().access(name=f"{name}/versions/latest")
    try:
        answer = google_api.call(request, f"read the API key of {stack}", f"{ACCESSOR} on {name}")
    except LookupError:
        raise Refusal(f"{name} has no version: run `make key STACK={stack}`.") from None
    keys = base64.b64decode(answer["payload"]["data"]).decode("utf-8", "replace").split()
    if not keys:
        raise Refusal(f"The latest version of {name} has no key: run `make key STACK={stack}`.")
    return keys[0]


def add(stack: str, target: GkeTarget | TpuVmTarget) -> None:
    """Adds a version with a new random key. Raises Refusal. The value is neither printed nor returned."""
    name = _name(stack, target)
    data = base64.b64encode(secrets.token_urlsafe(32).encode()).decode()
    request = _secrets().addVersion(parent=name, body={"payload": {"data": data}})
    try:
        google_api.call(request, f"add a version to the API key of {stack}", f"{ADDER} on {name}")
    except LookupError:
        raise Refusal(f"{name} does not exist: run `pulumi up -s {target.foundation}`.") from None


def _secrets() -> Any:
    return google_api.client("secretmanager", "v1").projects().secrets()


def _name(stack: str, target: GkeTarget | TpuVmTarget) -> str:
    """Returns the resource name of the stack's secret. Raises Refusal when the foundation has none."""
    environments: Mapping[str, Mapping[str, Any]] = outputs.read(target.foundation).get("environments", {})
    if stack not in environments:
        raise Refusal(
            f"The foundation {target.foundation} has no API key for {stack}: add {stack} to "
            f"target.environments in Pulumi.{target.foundation}.yaml, and run `pulumi up -s "
            f"{target.foundation}`."
        )
    return f"projects/{target.project}/secrets/{environments[stack]['api_key_secret']}"
