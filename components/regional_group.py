"""A group of TPU VMs in whichever of a region's zones has capacity."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from components.repairs import FAILED_MACHINES_ONLY


@dataclass(frozen=True, kw_only=True)
class RegionalGroupArgs:
    """`group` is the physical name; it changes with the template. Times in seconds.

    With `second_slice` the new group serves before the old one goes; without, the old one goes first.
    `on_error` is told why Google made no group.
    """

    group: pulumi.Input[str]
    region: str
    zones: Sequence[str]
    template: pulumi.Input[str]
    check: pulumi.Input[str]
    size: int
    port: int
    initial_delay_seconds: int
    wait_seconds: int
    second_slice: bool
    on_error: pulumi.ErrorHook


class RegionalGroup(pulumi.ComponentResource):
    """As InstanceGroup, over several zones, and without a disk that outlives a repair: disks stay in a zone.

    Google has groups of single-host TPU slices in regions too: https://cloud.google.com/tpu/docs/tpus-and-migs
    """

    instances: pulumi.Output[str]
    """Self link of the instance group, for load balancers."""

    def __init__(
        self, name: str, args: RegionalGroupArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tpuserve:gcp:RegionalGroup", name, None, opts)
        wait = f"{args.wait_seconds}s"
        group = gcp.compute.RegionInstanceGroupManager(
            f"{name}-group",
            name=args.group,
            region=args.region,
            distribution_policy_zones=list(args.zones),
            # Where there is capacity; it excludes moving machines for an even spread
            # (https://cloud.google.com/compute/docs/instance-groups/regional-mig-distribution-shape).
            distribution_policy_target_shape="ANY",
            base_instance_name=args.group,
            target_size=args.size,
            versions=[{"instance_template": args.template}],
            named_ports=[{"name": "http", "port": args.port}],
            auto_healing_policies={
                "health_check": args.check,
                "initial_delay_sec": args.initial_delay_seconds,
            },
            instance_lifecycle_policy=FAILED_MACHINES_ONLY,
            # For what somebody changes by hand, as in a zonal group; Google wants 0 or as many as zones.
            update_policy={
                "type": "OPPORTUNISTIC",
                "minimal_action": "REPLACE",
                "instance_redistribution_type": "NONE",
                "max_surge_fixed": 0,
                "max_unavailable_fixed": len(args.zones),
            },
            wait_for_instances=True,
            wait_for_instances_status="STABLE",
            opts=pulumi.ResourceOptions(
                parent=self,
                delete_before_replace=not args.second_slice,
                custom_timeouts=pulumi.CustomTimeouts(create=wait, update=wait, delete=wait),
                hooks=pulumi.ResourceHookBinding(on_error=[args.on_error]),
            ),
        )
        self.instances = group.instance_group
        self.register_outputs({"instances": self.instances})
