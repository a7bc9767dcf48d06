"""What a group of TPU VMs makes anew, and what it leaves alone."""

from pulumi_gcp.compute import InstanceGroupManagerInstanceLifecyclePolicyArgsDict

# A machine that fails (preempted, deleted, its host lost) is made anew. One whose server does not answer is
# left alone: its boot has said why, a new one would fail alike, and on spot the capacity would be gone. A
# server that hangs is restarted on the machine (serving/deploy/vm_boot.py).
FAILED_MACHINES_ONLY: InstanceGroupManagerInstanceLifecyclePolicyArgsDict = {
    "default_action_on_failure": "REPAIR",
    "on_failed_health_check": "DO_NOTHING",
    "force_update_on_repair": "NO",
}

# Google makes requests only in groups that repair nothing
# (https://cloud.google.com/compute/docs/instance-groups/about-resize-requests-mig).
NOTHING: InstanceGroupManagerInstanceLifecyclePolicyArgsDict = {
    **FAILED_MACHINES_ONLY,
    "default_action_on_failure": "DO_NOTHING",
}
