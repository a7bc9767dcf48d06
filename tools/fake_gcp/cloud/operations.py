"""Create, read, update and delete on the fake Google Cloud, with its refusals and the ordered faults."""

import copy
import datetime
import time
from typing import Any

from tools.fake_gcp.checks import diff, request, values
from tools.fake_gcp.cloud import errors, faults, gke, groups, store
from tools.fake_gcp.cloud.errors import GoogleError, Unfinished
from tools.fake_gcp.schema import kind
from tools.fake_gcp.schema.kind import Kind, at

Entry = dict[str, Any]
"""Record of one resource on the server: token, id, inputs, outputs, request, state."""

SERVICE = "gcp:projects/service:Service"
BUCKET = "gcp:storage/bucket:Bucket"
OBJECT = "gcp:storage/bucketObject:BucketObject"


def create(of: Kind, inputs: dict[str, Any], config: values.Config, timeout: float) -> Entry:
    """Create a resource. Raises GoogleError (nothing was created) or Unfinished (it exists as `args[1]`)."""
    identity = values.identity(of, inputs, config)
    assert identity, f"{of.token} passed Check without what its id needs"
    words = values.variables(of, inputs, config)
    with store.project(words["project"]) as memory:
        struck = faults.due(memory, of.token, identity, "create")
    _before(of, struck, identity, words)
    with store.project(words["project"]) as memory:
        _enabled(of, memory, words["project"])
        if identity in memory["objects"] and of.token != SERVICE:
            raise errors.google(409, f"The resource '{identity}' already exists", "alreadyExists")
        _references(of, inputs, memory, words["project"])
        _fits(of, inputs, memory)
        entry = new_entry(of, identity, inputs, config)
        memory["objects"][identity] = entry
        if of.token == SERVICE:
            memory["services"] = sorted({*memory["services"], inputs["service"]})
        failure = _after(of, entry, struck, words, timeout)
        if failure and not isinstance(failure, Unfinished):
            del memory["objects"][identity]
        elif "lost" in struck:
            failure = GoogleError(f"error sending the creation of {identity}: unexpected EOF")
    if failure:
        raise failure
    gke.created(entry)
    return entry


def new_entry(of: Kind, identity: str, inputs: dict[str, Any], config: values.Config) -> Entry:
    """Return what the server remembers of a new thing."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    entry: Entry = {
        "token": of.token,
        "id": identity,
        "inputs": inputs,
        "outputs": values.computed(
            of, inputs, config, id=identity, time=now, defaults=gke.outputs(of, inputs, identity)
        ),
        "request": request.build(of, inputs)[0],
        "state": "RUNNING",
        "created": now,
    }
    if groups.is_group(of):
        groups.place(entry, healthy=True)
    return entry


def _before(of: Kind, struck: dict[str, Any], identity: str, words: dict[str, Any]) -> None:
    """Apply the faults that leave everything as it was, and those that only take time."""
    time.sleep(struck.get("slow", {}).get("sleep", 0))
    if "permission" in struck:
        raise errors.permission(of, identity)
    if "quota" in struck:
        raise errors.quota(struck["quota"], words.get("region") or "us-central1")
    if "unavailable" in struck:
        raise errors.google(503, "The service is currently unavailable.", "backendError")


def _after(
    of: Kind, entry: Entry, struck: dict[str, Any], words: dict[str, Any], timeout: float
) -> GoogleError | None:
    """Apply the faults that strike during a creation; a plain GoogleError removes the resource again."""
    limit = timeout or of.minutes * 60
    failure: GoogleError | None = None
    if groups.is_group(of):
        groups.place(entry, healthy="unhealthy" not in struck)
        if groups.waits(entry):
            failure = errors.waited(of, limit, group=True)
    if "stockout" in struck:
        failure = errors.stockout(of, entry["inputs"], words)
    elif "timeout" in struck or struck.get("slow", {}).get("seconds", 0) > limit:
        failure = errors.waited(of, limit, group=groups.is_group(of))
    if failure is None:
        entry["state"] = "RUNNING"
    else:
        entry["state"] = "ERROR"
    if isinstance(failure, Unfinished):
        return Unfinished(failure.args[0], copy.deepcopy(entry))
    return failure


def read(of: Kind, identity: str, project: str) -> Entry | None:
    """Returns the server's present record; None when the resource is gone."""
    with store.project(project) as memory:
        struck = faults.due(memory, of.token, identity, "read")
    _before(of, struck, identity, {"project": project})
    with store.project(project) as memory:
        entry = memory["objects"].get(identity)
        if entry is None or entry["token"] != of.token or entry.get("gone"):
            return None
        for path, value in (struck.get("drift") or {}).get("set", {}).items():
            put(entry["inputs"], path, value)
        if groups.is_group(of):
            groups.step(entry)
        return copy.deepcopy(entry)


def update(of: Kind, identity: str, inputs: dict[str, Any], config: values.Config, timeout: float) -> Entry:
    """Change a resource in place; this also repairs a resource in state ERROR."""
    words = values.variables(of, inputs, config)
    with store.project(words["project"]) as memory:
        struck = faults.due(memory, of.token, identity, "update")
    _before(of, struck, identity, words)
    with store.project(words["project"]) as memory:
        entry = memory["objects"].get(identity)
        if entry is None:
            raise errors.google(404, f"The resource '{identity}' was not found", "notFound")
        _references(of, inputs, memory, words["project"])
        inputs = diff.with_filled(of, entry["inputs"], inputs)
        entry["inputs"] = inputs
        entry["request"] = request.build(of, inputs)[0]
        entry["outputs"] |= values.labels(of, inputs, config)
        failure = _after(of, entry, struck, words, timeout)
    if failure:
        raise failure
    gke.created(entry)
    return entry


def delete(of: Kind, identity: str, project: str) -> None:
    """Delete a resource. Raises GoogleError when something protects or uses it; one that is gone is fine."""
    with store.project(project) as memory:
        struck = faults.due(memory, of.token, identity, "delete")
    _before(of, struck, identity, {"project": project})
    with store.project(project) as memory:
        entry = memory["objects"].get(identity)
        if entry is None:
            return
        inputs = entry["inputs"]
        if inputs.get("deletionPolicy") == "PREVENT":
            raise GoogleError(f"cannot destroy {identity}: its deletionPolicy is PREVENT")
        if inputs.get("deletionPolicy") == "ABANDON":
            return
        _unused(of, entry, memory)
        if of.token == SERVICE and inputs.get("disableOnDestroy", True):
            memory["services"] = [name for name in memory["services"] if name != inputs["service"]]
        if of.outlives:
            entry["gone"] = True
        else:
            del memory["objects"][identity]
        pools = _pools(memory, identity) if of.token == gke.CLUSTER else []
        for pool in pools:  # node pools are deleted with their cluster
            del memory["objects"][pool["id"]]
    for gone in (entry, *pools):
        gke.deleted(gone)


def _pools(memory: dict[str, Any], cluster: str) -> list[Entry]:
    return [
        entry
        for entry in memory["objects"].values()
        if entry["token"] == gke.POOL and entry["id"].startswith(f"{cluster}/")
    ]


def _unused(of: Kind, entry: Entry, memory: dict[str, Any]) -> None:
    """Refuse to delete what is protected or what another resource still uses."""
    inputs, name = entry["inputs"], values.last(entry["id"])
    if of.token == gke.CLUSTER and inputs.get("deletionProtection", True):
        raise GoogleError(
            "Cannot destroy cluster because deletion_protection is set to true. Set it to false to proceed "
            "with cluster deletion."
        )
    if of.token == "gcp:secretmanager/secret:Secret" and inputs.get("deletionProtection"):
        raise GoogleError("cannot destroy secret: its deletionProtection is true; set it to false first")
    if of.token == BUCKET and not inputs.get("forceDestroy"):
        held = [
            item
            for item in memory["objects"].values()
            if item["token"] == OBJECT and values.last(item["inputs"]["bucket"]) == name
        ]
        if held:
            raise GoogleError(
                f"Error trying to delete bucket {name} containing objects without `force_destroy` set to true"
            )
    if of.api != "compute":
        return
    for other in memory["objects"].values():
        user = kind.find(other["token"])
        if user is None or other.get("gone"):
            continue
        for path, token in user.refs.items():
            if of.token in _named(token) and values.last(at(other["inputs"], path)) == name:
                raise errors.google(
                    400,
                    f"The {of.method.split('.')[1]} resource '{entry['id']}' is already being used by "
                    f"'{other['id']}'",
                    "resourceInUseByAnotherResource",
                )


def _enabled(of: Kind, memory: dict[str, Any], project: str) -> None:
    host = errors.SERVICES.get(of.api)
    if host and host not in memory["services"]:
        raise errors.disabled(of, project)


def _named(token: str) -> set[str]:
    """Returns the types that a reference to `token` may name, which differ by region, zone or global scope.

    A backend service names an instance group by the name of its manager.
    """
    return {
        token,
        token.replace("/instanceTemplate:I", "/regionInstanceTemplate:RegionI"),
        token.replace("/regionHealthCheck:Region", "/healthCheck:"),
        token.replace("/instanceGroupManager:I", "/regionInstanceGroupManager:RegionI"),
    }


def _references(of: Kind, inputs: dict[str, Any], memory: dict[str, Any], project: str) -> None:
    """Refuse a reference to a resource that does not exist."""
    there = {
        (entry["token"], values.last(entry["id"]))
        for entry in memory["objects"].values()
        if not entry.get("gone")
    }
    for path, token in of.refs.items():
        target = at(inputs, path)
        if not isinstance(target, str) or not target:
            continue
        elsewhere = "projects/" in target and f"projects/{project}/" not in target
        if not elsewhere and not any((each, values.last(target)) in there for each in _named(token)):
            raise errors.google(
                404, f"The resource '{target}' ({path} of {of.token}) was not found", "notFound"
            )


def _fits(of: Kind, inputs: dict[str, Any], memory: dict[str, Any]) -> None:
    """Refuse a node pool that does not fit its cluster."""
    if of.token != gke.POOL:
        return
    name = values.last(inputs["cluster"])
    for entry in memory["objects"].values():
        its_cluster = entry["token"] == gke.CLUSTER and values.last(entry["id"]) == name
        if its_cluster and (text := gke.conflict(inputs, entry["inputs"])):
            raise errors.google(400, text, "badRequest")


def put(inputs: dict[str, Any], path: str, value: Any) -> None:
    """Set `a.b.c` in nested groups; None removes it."""
    *stem, name = path.split(".")
    for part in stem:
        inputs = inputs.setdefault(part, {})
    if value is None:
        inputs.pop(name, None)
    else:
        inputs[name] = value
