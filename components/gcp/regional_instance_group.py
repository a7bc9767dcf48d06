"""A group of TPU VMs in whichever of a region's zones has capacity."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from components.gcp.instance_lifecycle import FAILED_MACHINES_ONLY


@dataclass(frozen=True, kw_only=True)
class RegionalGroupArgs:
    """`group` is the physical name. Times in seconds, `wait_seconds` for one machine.

    With `second_slice` new machines serve before old ones go. With `new_group_first` a group that must be
    another one is made before the old one goes. `on_error` is told why Google made no group.
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
    new_group_first: bool
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
        # Google wants 0, or at least as many as zones.
        all_zones = len(args.zones)
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
            # A machine that is replaced may come back in another zone.
            update_policy={
                "type": "PROACTIVE",
                "minimal_action": "REPLACE",
                "replacement_method": "SUBSTITUTE",
                "instance_redistribution_type": "NONE",
                "max_surge_fixed": all_zones if args.second_slice else 0,
                "max_unavailable_fixed": 0 if args.second_slice else all_zones,
            },
            wait_for_instances=True,
            wait_for_instances_status="UPDATED",
            opts=pulumi.ResourceOptions(
                parent=self,
                delete_before_replace=not args.new_group_first,
                custom_timeouts=pulumi.CustomTimeouts(
                    create=wait, update=f"{args.wait_seconds * args.size}s", delete=wait
                ),
                hooks=pulumi.ResourceHookBinding(on_error=[args.on_error]),
            ),
        )
        self.instances = group.instance_group
        self.register_outputs({"instances": self.instances})
