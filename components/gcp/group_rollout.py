"""Rollout and repair of managed instance groups: the parts that zonal and regional groups share."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp.compute import InstanceGroupManagerInstanceLifecyclePolicyArgsDict

# A machine that fails (preempted, deleted, its host lost) is recreated. A machine whose server is not
# accepted is left alone: its boot has reported the reason, a new machine would fail in the same way, and on
# spot its capacity could be lost. systemd restarts a server that hangs (serving/deploy/systemd_units.py).
REPAIR_FAILED_MACHINES: InstanceGroupManagerInstanceLifecyclePolicyArgsDict = {
    "default_action_on_failure": "REPAIR",
    "on_failed_health_check": "DO_NOTHING",
    "force_update_on_repair": "NO",
}

# Google accepts resize requests only in groups without repair
# (https://cloud.google.com/compute/docs/instance-groups/about-resize-requests-mig).
REPAIR_NOTHING: InstanceGroupManagerInstanceLifecyclePolicyArgsDict = {
    **REPAIR_FAILED_MACHINES,
    "default_action_on_failure": "DO_NOTHING",
}


@dataclass(frozen=True, kw_only=True)
class RolloutArgs:
    """Machines of a group, and how a new template replaces them."""

    group: pulumi.Input[str]
    """Physical name of the group."""
    template: pulumi.Input[str]
    """Self link of the instance template."""
    health_check: pulumi.Input[str]
    """Id of the health check that decides whether a machine serves."""
    size: int
    """Number of machines."""
    port: int
    """Port of the server."""
    initial_delay_seconds: int
    """Seconds after a machine's start in which its health check is ignored."""
    wait_seconds: int
    """Seconds that `pulumi up` waits for one machine to serve."""
    surge: int
    """Spare slices. With 1 an old machine is deleted only after its successor serves."""
    new_group_first: bool
    """True to create a replaced group before the old one is deleted."""
    on_error: pulumi.ErrorHook
    """Hook that receives Google's reason when the group could not be created."""


def group_options(
    parent: pulumi.Resource, rollout: RolloutArgs, ignore_changes: Sequence[str] = ()
) -> pulumi.ResourceOptions:
    """Returns the options of a group manager: its timeouts, its order of replacement and its error hook.

    An update replaces the machines one after another, so it may take `wait_seconds` for each of them.
    """
    one_machine = f"{rollout.wait_seconds}s"
    return pulumi.ResourceOptions(
        parent=parent,
        delete_before_replace=not rollout.new_group_first,
        ignore_changes=list(ignore_changes),
        custom_timeouts=pulumi.CustomTimeouts(
            create=one_machine, update=f"{rollout.wait_seconds * rollout.size}s", delete=one_machine
        ),
        hooks=pulumi.ResourceHookBinding(on_error=[rollout.on_error]),
    )
