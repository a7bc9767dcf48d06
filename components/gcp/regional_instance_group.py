"""Managed instance group of TPU VMs that uses whichever zones of a region have capacity."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from components.gcp.group_rollout import REPAIR_FAILED_MACHINES, RolloutArgs, group_options


@dataclass(frozen=True, kw_only=True)
class RegionalGroupArgs:
    """Arguments of a regional group. `zones` are zones of `region`."""

    rollout: RolloutArgs
    region: str
    zones: Sequence[str]


class RegionalGroup(pulumi.ComponentResource):
    """A regional managed instance group. It works like `InstanceGroup`, except that no disk survives a
    repair, because a disk cannot leave its zone.

    Google supports single-host TPU slices in regional groups: https://cloud.google.com/tpu/docs/tpus-and-migs
    """

    instances: pulumi.Output[str]
    """Self link of the instance group, for load balancers."""

    def __init__(
        self, name: str, args: RegionalGroupArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tpuserve:gcp:RegionalGroup", name, None, opts)
        rollout = args.rollout
        # Google accepts 0, or a number that is at least the number of zones.
        all_zones = len(args.zones)
        group = gcp.compute.RegionInstanceGroupManager(
            f"{name}-group",
            name=rollout.group,
            region=args.region,
            distribution_policy_zones=list(args.zones),
            # ANY uses the zones that have capacity. It requires redistribution NONE in the update policy
            # (https://cloud.google.com/compute/docs/instance-groups/regional-mig-distribution-shape).
            distribution_policy_target_shape="ANY",
            base_instance_name=rollout.group,
            target_size=rollout.size,
            versions=[{"instance_template": rollout.template}],
            named_ports=[{"name": "http", "port": rollout.port}],
            auto_healing_policies={
                "health_check": rollout.health_check,
                "initial_delay_sec": rollout.initial_delay_seconds,
            },
            instance_lifecycle_policy=REPAIR_FAILED_MACHINES,
            # SUBSTITUTE, because the new machine may be in a different zone than the old one.
            update_policy={
                "type": "PROACTIVE",
                "minimal_action": "REPLACE",
                "replacement_method": "SUBSTITUTE",
                "instance_redistribution_type": "NONE",
                "max_surge_fixed": all_zones if rollout.surge else 0,
                "max_unavailable_fixed": 0 if rollout.surge else all_zones,
            },
            wait_for_instances=True,
            wait_for_instances_status="UPDATED",
            opts=group_options(self, rollout),
        )
        self.instances = group.instance_group
        self.register_outputs({"instances": self.instances})
