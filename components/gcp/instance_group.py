"""A group of TPU VMs in one zone that keeps its size: preempted and lost machines are recreated."""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp
from pulumi_gcp.compute import InstanceGroupManagerUpdatePolicyArgsDict

from components.gcp.instance_lifecycle import FAILED_MACHINES_ONLY, NOTHING

MAX_INITIAL_DELAY_SECONDS = 3600
"""Google's limit (https://cloud.google.com/compute/docs/reference/rest/v1/instanceGroupManagers)."""

# One slice has no spare: the old machine goes first, and keeps its name and its disk.
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
# What came by request stays as it is: another template is another group.
AS_IT_IS: InstanceGroupManagerUpdatePolicyArgsDict = {**OLD_FIRST, "type": "OPPORTUNISTIC"}


@dataclass(frozen=True, kw_only=True)
class InstanceGroupArgs:
    """`group` is the physical name; `check` is a health check's id. Times are in seconds.

    `wait_seconds` is for one machine. `data_disk` is the device name of a disk that repairs and new templates
    keep. With `second_slice` a new machine serves before an old one goes. With `new_group_first` a group that
    must be another one is made before the old one goes. `requested_run_seconds` is set for machines that come
    by request (flex-start): then nothing is repaired, and the group is not waited for. `on_error` is told why
    Google made no group.
    """

    group: pulumi.Input[str]
    zone: str
    template: pulumi.Input[str]
    check: pulumi.Input[str]
    size: int
    port: int
    data_disk: str | None
    initial_delay_seconds: int
    wait_seconds: int
    second_slice: bool
    new_group_first: bool
    requested_run_seconds: int | None
    on_error: pulumi.ErrorHook


class InstanceGroup(pulumi.ComponentResource):
    """A zonal managed instance group. Another template is rolled out in place, one machine after the other.

    An instance is VERIFYING until its health check has passed once, whatever is done about those that fail it
    (Compute API, `ManagedInstance.currentAction`), and a group with such an instance is not stable: so
    `pulumi up` ends when the servers of the new template answer, and fails when they do not in their time.
    """

    instances: pulumi.Output[str]
    """Self link of the instance group, for load balancers."""

    def __init__(
        self, name: str, args: InstanceGroupArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tpuserve:gcp:InstanceGroup", name, None, opts)
        requested = args.requested_run_seconds is not None
        wait = f"{args.wait_seconds}s"
        group = gcp.compute.InstanceGroupManager(
            f"{name}-group",
            name=args.group,
            zone=args.zone,
            base_instance_name=args.group,
            target_size=0 if requested else args.size,
            versions=[{"instance_template": args.template}],
            named_ports=[{"name": "http", "port": args.port}],
            auto_healing_policies=None
            if requested
            else {"health_check": args.check, "initial_delay_sec": args.initial_delay_seconds},
            instance_lifecycle_policy=NOTHING if requested else FAILED_MACHINES_ONLY,
            update_policy=AS_IT_IS if requested else NEW_FIRST if args.second_slice else OLD_FIRST,
            stateful_disks=[{"device_name": args.data_disk, "delete_rule": "ON_PERMANENT_INSTANCE_DELETION"}]
            if args.data_disk and not requested
            else [],
            wait_for_instances=not requested,
            wait_for_instances_status="UPDATED",
            opts=pulumi.ResourceOptions(
                parent=self,
                delete_before_replace=not args.new_group_first,
                # Requests change the size behind the program's back.
                ignore_changes=["targetSize"] if requested else [],
                custom_timeouts=pulumi.CustomTimeouts(
                    create=wait, update=f"{args.wait_seconds * args.size}s", delete=wait
                ),
                hooks=pulumi.ResourceHookBinding(on_error=[args.on_error]),
            ),
        )
        if args.requested_run_seconds is not None:
            gcp.compute.ResizeRequest(
                f"{name}-request",
                name=args.group,
                zone=args.zone,
                instance_group_manager=group.name,
                resize_by=args.size,
                requested_run_duration={"seconds": str(args.requested_run_seconds)},
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.instances = group.instance_group
        self.register_outputs({"instances": self.instances})
