"""ComputeClass: GKE creates a node by the first provisioning option that has capacity."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components.gcp.provisioning import Provisioning
from serving.hardware.accelerators import Accelerator
from serving.hardware.machines import TPU_NODE_DISK_GB

RECYCLE_SECONDS = 3600
"""Seconds before the end of a flex-start node at which GKE starts to look for its successor."""


@dataclass(frozen=True, kw_only=True)
class ComputeClassArgs:
    """Arguments of the class."""

    class_name: str
    """Name of the ComputeClass object."""
    accelerator: Accelerator
    zone: str
    disk_type: str
    options: Sequence[Provisioning]
    """Provisioning options in the order in which GKE tries them."""
    node_email: pulumi.Input[str]
    """Email of the nodes' service account."""


class ComputeClass(pulumi.ComponentResource):
    """A ComputeClass for slices of one shape.

    GKE creates its node pools without cluster-wide auto-provisioning from the version that
    config/provisioning.py names. Fields: https://cloud.google.com/kubernetes-engine/docs/reference/crds/computeclass
    """

    name: pulumi.Output[str]
    """Value of the node selector `cloud.google.com/compute-class`, which a pod has instead of TPU labels."""

    def __init__(self, name: str, args: ComputeClassArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:kubernetes:ComputeClass", name, None, opts)
        compute_class = k8s.apiextensions.CustomResource(
            f"{name}-class",
            api_version="cloud.google.com/v1",
            kind="ComputeClass",
            metadata={"name": args.class_name},
            spec={
                "priorities": [priority(args, option) for option in args.options],
                "nodePoolAutoCreation": {"enabled": True},
                "nodePoolConfig": {"serviceAccount": args.node_email},
                # No fallback to a machine of a general type, because it has no TPU.
                "whenUnsatisfiable": "DoNotScaleUp",
                # A migration to a cheaper node costs a boot. The next release moves the server anyway.
                "activeMigration": {"optimizeRulePriority": False},
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        # Depends on the object, so that no pod selects a class that does not exist yet.
        self.name = compute_class.id.apply(lambda _: args.class_name)
        self.register_outputs({"name": self.name})


def priority(args: ComputeClassArgs, option: Provisioning) -> dict[str, object]:
    """Returns one provisioning option as an item of `spec.priorities`."""
    fields: dict[str, object] = {
        "machineType": args.accelerator.machine_type,
        "spot": option.model == "spot",
        "tpu": {
            "type": args.accelerator.gke_accelerator,
            "count": args.accelerator.chips,
            "topology": args.accelerator.gke_topology,
        },
        "storage": {"bootDiskType": args.disk_type, "bootDiskSize": TPU_NODE_DISK_GB},
    }
    if option.model == "reservation":
        assert option.reservation is not None
        project = {"project": option.reservation.project} if option.reservation.project else {}
        # The reservation states the zones. GKE accepts no `location` beside it.
        reservation = {"name": option.reservation.name, "zones": [args.zone], **project}
        fields["reservations"] = {"affinity": "Specific", "specific": [reservation]}
    else:
        fields["location"] = {"zones": [args.zone]}
    if option.model == "flex-start":
        fields["flexStart"] = {"enabled": True, "nodeRecycling": {"leadTimeSeconds": RECYCLE_SECONDS}}
        fields["maxRunDurationSeconds"] = option.max_run_seconds
    return fields
