"""Rules about TPU VMs and their groups. Each yields a sentence for each thing that is wrong."""

from collections.abc import Iterator, Sequence

from policies.resource import Resource, Unknown

TEMPLATE = "gcp:compute/instanceTemplate:InstanceTemplate"
GROUPS = (
    "gcp:compute/instanceGroupManager:InstanceGroupManager",
    "gcp:compute/regionInstanceGroupManager:RegionInstanceGroupManager",
)
REQUEST = "gcp:compute/resizeRequest:ResizeRequest"
FIREWALL = "gcp:compute/firewall:Firewall"

# What the template tells about its own boot (stacks/tpu_vm/managed_group.py).
BOOT_SECONDS = "metadata.tpuserve-boot-seconds"
DISK_GB = "metadata.tpuserve-disk-gb"


def no_public_address(resource: Resource) -> Iterator[str]:
    """A TPU VM is reached through IAP, a load balancer or the VPC, never from the internet."""
    if resource.kind == TEMPLATE:
        for interface in resource.each("networkInterfaces"):
            if not isinstance(interface, Unknown) and (
                interface.get("accessConfigs") or interface.get("ipv6AccessConfigs")
            ):
                yield "gives its machines a public address; leave accessConfigs out"
    if resource.kind == FIREWALL and resource.at("direction") == "INGRESS" and resource.each("allows"):
        for source in resource.each("sourceRanges"):
            if source in ("0.0.0.0/0", "::/0"):
                yield f"lets {source}, which is everybody, in; name the clients' ranges"


def room_for_the_weights(resource: Resource) -> Iterator[str]:
    """Weights and image fit on the machine's disks: a boot that fills them fails after all its downloads."""
    needed = _number(resource.at(DISK_GB)) if resource.kind == TEMPLATE else None
    if needed is None:
        return
    sizes = [_number(disk.get("diskSizeGb")) for disk in resource.each("disks")]
    if None not in sizes and sum(size for size in sizes if size is not None) < needed:
        yield (
            f"has disks of {sum(size for size in sizes if size is not None)} GB, and weights and image take "
            f"{needed} GB; make a disk larger"
        )


def healed_groups(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    """A group knows whether its servers answer, `up` waits until they do, and a boot that fails is not tried
    again on machine after machine."""
    boots = [_number(resource.at(BOOT_SECONDS)) for resource in resources if resource.kind == TEMPLATE]
    longest = max((seconds for seconds in boots if seconds is not None), default=0)
    requested = any(resource.kind == REQUEST for resource in resources)
    for group in resources:
        # Machines that come by request are never repaired: Google makes none in a group that heals.
        if group.kind not in GROUPS or requested:
            continue
        delay = group.at("autoHealingPolicies.initialDelaySec")
        if not group.at("autoHealingPolicies.healthCheck"):
            yield group, "does not notice a server that is dead; give it an autohealing health check"
        elif not isinstance(delay, Unknown) and int(delay or 0) < longest:
            yield (
                group,
                f"takes a machine for sick after {int(delay or 0)} s, and its boot may take {longest} s; "
                f"raise initialDelaySec",
            )
        if group.at("instanceLifecyclePolicy.onFailedHealthCheck") != "DO_NOTHING":
            yield (
                group,
                "replaces a machine whose boot has failed, for as long as it fails; set "
                "instanceLifecyclePolicy.onFailedHealthCheck to DO_NOTHING",
            )
        if group.at("waitForInstances") is not True or group.at("waitForInstancesStatus") != "UPDATED":
            yield group, "is taken for done before its new servers answer; wait for UPDATED"


def _number(value: object) -> int | None:
    return int(float(str(value))) if value is not None and not isinstance(value, Unknown) else None
