"""A ComputeClass: GKE makes the node itself, by the first way to buy that has capacity."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components.gcp.provisioning import Purchase
from components.gcp.tpu_pool import DISK_GB
from serving.hardware.accelerators import Accelerator

RECYCLE_SECONDS = 3600
"""A flex-start node looks for its successor this long before it ends."""


@dataclass(frozen=True, kw_only=True)
class ComputeClassArgs:
    """`rungs` in the order in which GKE tries them."""

    class_name: str
    accelerator: Accelerator
    zone: str
    disk_type: str
    rungs: Sequence[Purchase]
    node_email: pulumi.Input[str]


class ComputeClass(pulumi.ComponentResource):
    """Needs GKE 1.33.3-gke.1136000: from there node pools are created for the class without cluster-wide
    auto-provisioning. Fields: https://cloud.google.com/kubernetes-engine/docs/reference/crds/computeclass
    """

    name: pulumi.Output[str]
    """What a pod selects as `cloud.google.com/compute-class`, instead of the TPU labels."""

    def __init__(self, name: str, args: ComputeClassArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:kubernetes:ComputeClass", name, None, opts)
        made = k8s.apiextensions.CustomResource(
            f"{name}-class",
            api_version="cloud.google.com/v1",
            kind="ComputeClass",
            metadata={"name": args.class_name},
            spec={
                "priorities": [priority(args, rung) for rung in args.rungs],
                "nodePoolAutoCreation": {"enabled": True},
                "nodePoolConfig": {"serviceAccount": args.node_email},
                # Never another machine: no other has a TPU.
                "whenUnsatisfiable": "DoNotScaleUp",
                # Moving a running server to a cheaper node costs a boot; releases move it soon enough.
                "activeMigration": {"optimizeRulePriority": False},
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        # From the class, so that no pod asks for one that is not there yet.
        self.name = made.id.apply(lambda _: args.class_name)
        self.register_outputs({"name": self.name})


def priority(args: ComputeClassArgs, rung: Purchase) -> dict[str, object]:
    """One rung as GKE writes it."""
    found: dict[str, object] = {
        "machineType": args.accelerator.machine_type,
        "spot": rung.way == "spot",
        "tpu": {
            "type": args.accelerator.gke_accelerator,
            "count": args.accelerator.chips,
            "topology": args.accelerator.gke_topology,
        },
        "storage": {"bootDiskType": args.disk_type, "bootDiskSize": DISK_GB},
    }
    if rung.way == "reservation":
        assert rung.reservation is not None
        project = {"project": rung.reservation.project} if rung.reservation.project else {}
        # A named reservation brings its zones; GKE takes no location beside it.
        named = {"name": rung.reservation.name, "zones": [args.zone], **project}
        found["reservations"] = {"affinity": "Specific", "specific": [named]}
    else:
        found["location"] = {"zones": [args.zone]}
    if rung.way == "flex-start":
        found["flexStart"] = {"enabled": True, "nodeRecycling": {"leadTimeSeconds": RECYCLE_SECONDS}}
        found["maxRunDurationSeconds"] = rung.max_run_seconds
    return found
