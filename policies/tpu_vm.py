"""Rules on TPU VMs and their groups. Each rule yields one sentence for each violation."""

from collections.abc import Iterator, Sequence

from policies.resource import Resource, Unknown, given

TEMPLATE = "gcp:compute/instanceTemplate:InstanceTemplate"
GROUPS = (
    "gcp:compute/instanceGroupManager:InstanceGroupManager",
    "gcp:compute/regionInstanceGroupManager:RegionInstanceGroupManager",
)
CLOUD_TPU = "gcp:tpu/v2Vm:V2Vm"
REQUEST = "gcp:compute/resizeRequest:ResizeRequest"
FIREWALL = "gcp:compute/firewall:Firewall"
CHECKS = (
    "gcp:compute/healthCheck:HealthCheck",
    "gcp:compute/regionHealthCheck:RegionHealthCheck",
)

# Metadata attributes of the template, written by stacks/tpu_vm/boot_metadata.py.
BOOT_SECONDS = "metadata.tpuserve-boot-seconds"
DISK_GB = "metadata.tpuserve-disk-gb"


def no_public_address(resource: Resource) -> Iterator[str]:
    """Yields a sentence for a machine that the internet could reach.

    A TPU VM is reached through IAP, a load balancer or the VPC.
    """
    if resource.kind == TEMPLATE:
        for interface in resource.each("networkInterfaces"):
            if not isinstance(interface, Unknown) and (
                interface.get("accessConfigs") or interface.get("ipv6AccessConfigs")
            ):
                yield "gives its machines a public address; leave accessConfigs out"
    if resource.kind == CLOUD_TPU and resource.true("networkConfig.enableExternalIps"):
        yield "gives its machine a public address; set networkConfig.enableExternalIps to false"
    # A rule without a direction is one for INGRESS.
    if resource.kind == FIREWALL and resource.at("direction") != "EGRESS" and resource.each("allows"):
        for source in resource.each("sourceRanges"):
            if source in ("0.0.0.0/0", "::/0"):
                yield f"lets {source}, which is everybody, in; name the ranges of clients"


def room_for_the_weights(resource: Resource) -> Iterator[str]:
    """Yields a sentence for a template whose disks cannot hold weights and image.

    Such a boot would fail only after all its downloads.
    """
    needed = _number(resource.at(DISK_GB)) if resource.kind == TEMPLATE else None
    if needed is None:
        return
    sizes = [_number(disk.get("diskSizeGb")) for disk in resource.each("disks")]
    if None not in sizes and sum(size for size in sizes if size is not None) < needed:
        yield (
            f"has disks of {sum(size for size in sizes if size is not None)} GB, and weights and image take "
            f"{needed} GB; make a disk larger"
        )


def accepted_servers(resource: Resource) -> Iterator[str]:
    """Yields a sentence for a health check with which a server gets traffic, or a group goes on with its
    update, before the server is accepted."""
    path = resource.at("httpHealthCheck.requestPath")
    if resource.kind in CHECKS and path != "/ready":
        yield (
            f"asks for {path or '/'}, which a server may answer before it is accepted; set "
            "httpHealthCheck.requestPath to /ready"
        )


def healed_groups(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    """Yields groups that do not see whether their servers answer, that `pulumi up` does not wait for, or that
    would repeat a failed boot on one machine after another."""
    boots = [_number(resource.at(BOOT_SECONDS)) for resource in resources if resource.kind == TEMPLATE]
    longest = max((seconds for seconds in boots if seconds is not None), default=0)
    requested = any(resource.kind == REQUEST for resource in resources)
    for group in resources:
        # Machines of resize requests are never repaired: Google accepts no request in a group with repair.
        if group.kind not in GROUPS or requested:
            continue
        delay = group.at("autoHealingPolicies.initialDelaySec")
        if not given(group.at("autoHealingPolicies.healthCheck")):
            yield group, "does not notice a dead server; give it an autohealing health check"
        elif not isinstance(delay, Unknown) and int(delay or 0) < longest:
            yield (
                group,
                f"checks a machine after {int(delay or 0)} s, and its boot may take {longest} s; "
                "raise initialDelaySec",
            )
        if group.at("instanceLifecyclePolicy.onFailedHealthCheck") != "DO_NOTHING":
            yield (
                group,
                "replaces a machine whose boot has failed, again and again; set "
                "instanceLifecyclePolicy.onFailedHealthCheck to DO_NOTHING",
            )
        if not group.true("waitForInstances") or group.at("waitForInstancesStatus") != "UPDATED":
            yield group, "does not make `pulumi up` wait until its new servers answer; wait for UPDATED"


def _number(value: object) -> int | None:
    return int(float(str(value))) if value is not None and not isinstance(value, Unknown) else None
