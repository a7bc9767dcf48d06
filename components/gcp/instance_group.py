"""Managed instance group of TPU VMs in one zone, which recreates preempted and lost machines."""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp
from pulumi_gcp.compute import InstanceGroupManagerUpdatePolicyArgsDict

from components.gcp.group_rollout import (
    REPAIR_FAILED_MACHINES,
    REPAIR_NOTHING,
    RolloutArgs,
    group_options,
)

MAX_INITIAL_DELAY_SECONDS = 3600
"""Google's limit (https://cloud.google.com/compute/docs/reference/rest/v1/instanceGroupManagers)."""

# Without quota for a second slice the old machine is deleted first. RECREATE keeps its name and its disk.
OLD_FIRST: InstanceGroupManagerUpdatePolicyArgsDict = {
    "type": "PROACTIVE",
    "minimal_action": "REPLACE",
    "replacement_method": "RECREATE",
    "max_surge_fixed": 0,
    "max_unavailable_fixed": 1,
}
NEW_FIRST: InstanceGroupManagerUpdatePolicyArgsDict = {
    "type": "PROACTIVE",
    "minimal_action": "REPLACE",
    "replacement_method": "SUBSTITUTE",
    "max_surge_fixed": 1,
    "max_unavailable_fixed": 0,
}
# Flex-start (resize-request) machines are never updated in place; a new template gets a new group.
NO_UPDATE: InstanceGroupManagerUpdatePolicyArgsDict = {**OLD_FIRST, "type": "OPPORTUNISTIC"}


@dataclass(frozen=True, kw_only=True)
class InstanceGroupArgs:
    """Arguments of a zonal group."""

    rollout: RolloutArgs
    zone: str
    data_disk: str | None
    """Device name of a disk that survives repairs and new templates; None when machines have no such disk."""
    requested_run_seconds: int | None
    """Seconds that machines of a resize request (flex-start) run; None for a group that keeps its size.

    A group with resize requests repairs nothing, and `pulumi up` does not wait for its machines.
    """


class InstanceGroup(pulumi.ComponentResource):
    """A zonal managed instance group. It replaces its machines one after another when the template changes.

    An instance is VERIFYING until its health check has passed once, whatever the group does about failed
    checks (Compute API, `ManagedInstance.currentAction`). A group with such an instance is not stable. So
    an update goes on to the next machine when a server of the new template is accepted, and `pulumi up` fails
    when one is not accepted in time.
    """

    instances: pulumi.Output[str]
    """Self link of the instance group, for load balancers."""

    def __init__(
        self, name: str, args: InstanceGroupArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tpuserve:gcp:InstanceGroup", name, None, opts)
        rollout = args.rollout
        requested = args.requested_run_seconds is not None
        group = gcp.compute.InstanceGroupManager(
            f"{name}-group",
            name=rollout.group,
            zone=args.zone,
            base_instance_name=rollout.group,
            target_size=0 if requested else rollout.size,
            versions=[{"instance_template": rollout.template}],
            named_ports=[{"name": "http", "port": rollout.port}],
            auto_healing_policies=None
            if requested
            else {
                "health_check": rollout.health_check,
                "initial_delay_sec": rollout.initial_delay_seconds,
            },
            instance_lifecycle_policy=REPAIR_NOTHING if requested else REPAIR_FAILED_MACHINES,
            update_policy=NO_UPDATE if requested else NEW_FIRST if rollout.surge else OLD_FIRST,
            stateful_disks=[{"device_name": args.data_disk, "delete_rule": "ON_PERMANENT_INSTANCE_DELETION"}]
            if args.data_disk and not requested
            else [],
            wait_for_instances=not requested,
            wait_for_instances_status="UPDATED",
            # Resize requests change the group's size outside of Pulumi.
            opts=group_options(self, rollout, ["targetSize"] if requested else []),
        )
        if args.requested_run_seconds is not None:
            gcp.compute.ResizeRequest(
                f"{name}-request",
                name=rollout.group,
                zone=args.zone,
                instance_group_manager=group.name,
                resize_by=rollout.size,
                requested_run_duration={"seconds": str(args.requested_run_seconds)},
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.instances = group.instance_group
        self.register_outputs({"instances": self.instances})
