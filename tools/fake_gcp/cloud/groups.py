"""Managed instance groups: their instances, VERIFYING until the health check is passed, preemption, repairs.

https://cloud.google.com/compute/docs/instance-groups/autohealing-instances-in-migs: an instance with an
autohealing policy has currentAction VERIFYING until it is healthy for the first time.
https://cloud.google.com/compute/docs/reference/rest/v1/instanceGroupManagers: `status.isStable`, and
`instanceLifecyclePolicy`: what is done about a machine that fails, and about one that fails its health check.
"""

from typing import Any

from tools.fake_gcp.checks.values import serial
from tools.fake_gcp.schema.kind import Kind, at
from tools.fake_gcp.schema.kinds.instances import GROUP, REGION_GROUP

NEXT = {"RECREATING": "VERIFYING", "CREATING": "VERIFYING", "VERIFYING": "NONE", "NONE": "NONE"}


def is_group(kind: Kind) -> bool:
    """Returns whether the type is a managed instance group."""
    return kind.token in (GROUP, REGION_GROUP)


def waits(entry: dict[str, Any]) -> bool:
    """Returns whether the provider still waits for the group to become stable, or updated."""
    inputs, (status,) = entry["inputs"], entry["outputs"]["statuses"]
    done = status["isStable"]
    if inputs.get("waitForInstancesStatus") == "UPDATED":
        done = done and status["versionTargets"][0]["isReached"]
    return bool(inputs.get("waitForInstances")) and not done


def place(entry: dict[str, Any], *, healthy: bool) -> None:
    """Create the group's instances after a creation or an update; an opportunistic group keeps existing
    instances on their old template."""
    inputs = entry["inputs"]
    size = int(inputs.get("targetSize") or 0)
    template = at(inputs, "versions.instanceTemplate")
    autohealed = bool(inputs.get("autoHealingPolicies"))
    rolled = at(inputs, "updatePolicy.type") == "PROACTIVE"
    kept = [item for item in entry.get("instances", []) if item["template"] == template or not rolled][:size]
    for index in range(len(kept), size):
        mark = serial(f"{entry['id']}{template}{index}{len(entry.get('instances', []))}")[-4:]
        kept.append({"name": f"{inputs['baseInstanceName']}-{mark}", "template": template})
    for item in kept:
        item["healthy"] = healthy or not autohealed
        item["action"] = "NONE" if item["healthy"] else "VERIFYING"
    entry["instances"] = kept
    _tell(entry)


def step(entry: dict[str, Any]) -> None:
    """Advance the group by one moment. A preempted instance is recreated, verified and then left alone. One
    that never becomes healthy is recreated repeatedly or kept, as the policy says."""
    policy = entry["inputs"].get("instanceLifecyclePolicy") or {}
    default = policy.get("defaultActionOnFailure", "REPAIR")
    unhealthy = policy.get("onFailedHealthCheck", "DEFAULT_ACTION")
    repairs = (default if unhealthy == "DEFAULT_ACTION" else unhealthy) == "REPAIR"
    for item in entry.get("instances", []):
        if item["action"] == "VERIFYING" and not item["healthy"]:
            if repairs:
                item["action"] = "RECREATING"
                item["recreated"] = item.get("recreated", 0) + 1
            continue
        item["action"] = NEXT[item["action"]]
    _tell(entry)


def preempt(entry: dict[str, Any]) -> None:
    """Preempt spot capacity: Google deletes the instances and the group recreates them."""
    for item in entry["instances"]:
        item["recreated"] = item.get("recreated", 0) + 1
        item["action"] = "RECREATING"
        item["healthy"] = True
    _tell(entry)


def repair(entry: dict[str, Any]) -> None:
    """Fix by hand, on the machines, what kept the servers from answering."""
    for item in entry["instances"]:
        item["healthy"] = True


def _tell(entry: dict[str, Any]) -> None:
    template = at(entry["inputs"], "versions.instanceTemplate")
    stable = all(item["action"] == "NONE" for item in entry.get("instances", []))
    reached = all(item["template"] == template for item in entry.get("instances", []))
    entry["outputs"]["statuses"] = [
        {
            "isStable": stable,
            "versionTargets": [{"isReached": stable and reached}],
            "allInstancesConfigs": [],
            "statefuls": [],
        }
    ]
