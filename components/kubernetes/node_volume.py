"""Folder of the local node as a persistent volume, whose data outlives pods, claims and stacks."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s


@dataclass(frozen=True, kw_only=True)
class NodeVolumeArgs:
    """Arguments of the volume."""

    namespace: pulumi.Input[str]
    path: str
    """Folder on the node."""
    size: str
    """Kubernetes quantity. Nothing enforces it on a plain folder."""
    read_only: bool


class NodeVolume(pulumi.ComponentResource):
    """A PersistentVolume on a node's folder, and the one claim that may bind to it."""

    claim_name: pulumi.Output[str]
    """Name of the claim, for a pod's volumes."""

    def __init__(self, name: str, args: NodeVolumeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:kubernetes:NodeVolume", name, None, opts)
        modes = ["ReadOnlyMany" if args.read_only else "ReadWriteMany"]
        volume = k8s.core.v1.PersistentVolume(
            f"{name}-volume",
            metadata={"name": f"tpuserve-{name}"},
            spec={
                "capacity": {"storage": args.size},
                "access_modes": modes,
                "storage_class_name": "",
                # The folder belongs to the machine. A destroy never deletes its content.
                "persistent_volume_reclaim_policy": "Retain",
                "host_path": {"path": args.path, "type": "Directory"},
                "claim_ref": {"namespace": args.namespace, "name": name},
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        claim = k8s.core.v1.PersistentVolumeClaim(
            f"{name}-claim",
            metadata={"name": name, "namespace": args.namespace},
            spec={
                "access_modes": modes,
                "storage_class_name": "",
                "volume_name": volume.metadata.name,
                "resources": {"requests": {"storage": args.size}},
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.claim_name = claim.metadata.name
        self.register_outputs({"claim_name": self.claim_name})
