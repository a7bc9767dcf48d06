"""TPU VMs of a stack as Google's APIs show them: the group's machines, or the one of the Cloud TPU API."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from config.targets import TpuVmTarget
from operate import google_api, outputs
from operate.diagnosis.machine_stages import Machine, MachineEvidence

VIEWER = "roles/compute.viewer"
TPU_VIEWER = "roles/tpu.viewer"
REPORT_PATH = "tpuserve/"
"""Namespace of the guest attribute with the report of the boot (agent/vm/boot_status.py)."""


def evidence(stack: str, target: TpuVmTarget, wanted: int) -> MachineEvidence:
    """Returns the machines of a stack and their group's errors. Raises Refusal."""
    if target.api == "cloud-tpu":
        return _node(stack, target)
    return _group(stack, target, wanted)


def _group(stack: str, target: TpuVmTarget, wanted: int) -> MachineEvidence:
    name = outputs.required(stack, "group")
    compute = google_api.client("compute", "v1")
    regional = bool(target.other_zones)
    groups = compute.regionInstanceGroupManagers() if regional else compute.instanceGroupManagers()
    place = {"region": target.region} if regional else {"zone": target.zone}
    group = {
        "project": target.project,
        **place,
        "instanceGroupManager": name,
    }
    try:
        listed = google_api.call(
            groups.listManagedInstances(**group), f"list the machines of {stack}", VIEWER
        )
    except LookupError:
        raise outputs.not_up(stack) from None
    errors = google_api.call(groups.listErrors(**group), f"read the errors of the group of {stack}", VIEWER)
    newest = sorted(errors.get("items", ()), key=lambda item: item.get("timestamp", ""), reverse=True)
    texts = [_error(item["error"]) for item in newest]
    if target.capacity.kind == "flex-start":
        texts += _resize_errors(compute, group, stack)
    machines = [_machine(compute, target, each) for each in listed.get("managedInstances", ())]
    return MachineEvidence(stack, wanted, machines, texts)


def _resize_errors(compute: Any, group: Mapping[str, str], stack: str) -> list[str]:
    """Returns the errors of the requests with which a flex-start group asks for its machines."""
    request = compute.instanceGroupManagerResizeRequests().list(**group)
    answer = google_api.call(request, f"read the resize requests of {stack}", VIEWER)
    return [text for item in answer.get("items", ()) for text in _attempt(item.get("status", {}))]


def _machine(compute: Any, target: TpuVmTarget, item: Mapping[str, Any]) -> Machine:
    """Returns one machine of a group. Its URL is …/zones/ZONE/instances/NAME."""
    parts = str(item["instance"]).split("/")
    name, zone = parts[-1], parts[-3]
    health: Sequence[Mapping[str, Any]] = item.get("instanceHealth", ())
    return Machine(
        name=name,
        zone=zone,
        state=item.get("instanceStatus", ""),
        action=item.get("currentAction", "NONE"),
        health=health[0].get("detailedHealthState", "") if health else "",
        errors=[*_attempt(item)],
        report=_report(
            compute.instances().getGuestAttributes(
                project=target.project, zone=zone, instance=name, queryPath=REPORT_PATH
            ),
            name,
            VIEWER,
        )
        if item.get("instanceStatus") == "RUNNING"
        else None,
    )


def _attempt(item: Mapping[str, Any]) -> Iterator[str]:
    """Yields the errors of the last attempt in a managed instance or a resize request."""
    attempt: Mapping[str, Any] = item.get("lastAttempt") or {}
    errors: Mapping[str, Any] = attempt.get("errors") or attempt.get("error") or {}
    yield from map(_error, errors.get("errors", ()))


def _error(error: Mapping[str, Any]) -> str:
    return f"{error.get('code', 'error')}: {error.get('message', 'no message')}"


def _node(stack: str, target: TpuVmTarget) -> MachineEvidence:
    """Returns the machine of the Cloud TPU API."""
    name = outputs.required(stack, "machine")
    nodes = google_api.client("tpu", "v2").projects().locations().nodes()
    path = f"projects/{target.project}/locations/{target.zone}/nodes/{name}"
    try:
        node = google_api.call(nodes.get(name=path), f"read the TPU VM of {stack}", TPU_VIEWER)
    except LookupError:
        raise outputs.not_up(stack) from None
    endpoints: Sequence[Mapping[str, Any]] = node.get("networkEndpoints", ())
    request = nodes.getGuestAttributes(name=path, body={"queryPath": REPORT_PATH})
    machine = Machine(
        name=name,
        zone=target.zone,
        state=node.get("state", ""),
        report=_report(request, name, TPU_VIEWER) if node.get("state") == "READY" else None,
        address=endpoints[0].get("ipAddress", "") if endpoints else "",
    )
    return MachineEvidence(stack, 1, [machine])


def _report(request: Any, name: str, role: str) -> Mapping[str, Any] | None:
    """Returns the report of a machine's boot; None when there is none yet."""
    try:
        answer = google_api.call(request, f"read the guest attributes of {name}", role)
    except LookupError:
        return None
    # The Cloud TPU API answers with a list of what Compute Engine answers.
    for each in answer.get("guestAttributes", [answer]):
        for item in each.get("queryValue", {}).get("items", ()):
            if item.get("key") == "status":
                with contextlib.suppress(ValueError):
                    return json.loads(item["value"])
    return None
