"""Provider functions that programs call: the project, the caller, a region's zones."""

from collections.abc import Mapping
from typing import Any

from tools.fake_gcp.checks.values import Config, last, number
from tools.fake_gcp.cloud import store

VAULT = "secret-values.json"
"""File in the fake cloud's folder with the values of secrets, set by `Console.add_version`."""


def answer(token: str, args: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """Returns the result of a function. Raises ValueError for one that the fake cloud does not know."""
    project = args.get("projectId") or args.get("project") or config.get("project")
    if token == "gcp:organizations/getProject:getProject":
        name = str(project).removeprefix("projects/")
        return {"id": f"projects/{name}", "projectId": name, "number": number(name), "name": name}
    if token == "gcp:organizations/getClientConfig:getClientConfig":
        own = {key: config.get(key) for key in ("project", "region", "zone")}
        return {**own, "accessToken": "stand-in", "id": f"projects/{project}"}
    if token == "gcp:compute/getZones:getZones":
        region = str(args.get("region") or config.get("region"))
        return {
            "id": f"projects/{project}/regions/{region}",
            "project": project,
            "names": [f"{region}-{letter}" for letter in ("a", "b", "c")],
        }
    if token == "gcp:secretmanager/getSecretVersion:getSecretVersion":
        # Programs can read values, so tests check whether this project's programs did.
        secret = last(str(args.get("secret")))
        value = store.read(store.folder() / VAULT, {}).get(secret)
        if value is None:
            raise ValueError(f"Secret [projects/{project}/secrets/{secret}] has no version.")
        return {"id": f"projects/{project}/secrets/{secret}/versions/1", "secretData": value}
    raise ValueError(f"The fake Google Cloud does not know the function {token}.")
