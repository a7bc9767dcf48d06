"""One TPU VM of the Cloud TPU API, for projects whose TPU quota exists only in that API."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True)
class CloudTpuArgs:
    """Arguments of the machine and its data disk."""

    machine: pulumi.Input[str]
    """Physical name. It changes with the metadata, which a machine reads only when it starts."""
    disk: str
    """Prefix of the data disk's name; the size in GB follows it. The disk outlives the machine."""
    zone: str
    tpu_type: str
    """Accelerator type, as the Cloud TPU API names it."""
    runtime_version: str
    """Runtime version, as the Cloud TPU API names it."""
    disk_type: str
    disk_gb: int
    """Size of the data disk in GB."""
    network: pulumi.Input[str]
    subnetwork: pulumi.Input[str]
    email: pulumi.Input[str]
    """Email of the machine's service account."""
    spot: bool
    metadata: Mapping[str, pulumi.Input[str]]
    """Metadata attributes with the boot script and its files. They hold no secret."""
    ignored_metadata: str
    """Attribute whose own change replaces nothing. What else replaces the machine brings the new text."""
    labels: Mapping[str, str]
    on_error: pulumi.ErrorHook
    """Hook that receives Google's reason when the machine could not be created."""


class CloudTpu(pulumi.ComponentResource):
    """A machine and its data disk. Nothing recreates it after a preemption, and `pulumi up` does not wait
    until it serves; `InstanceGroup` does both, for quota in Compute Engine."""

    def __init__(self, name: str, args: CloudTpuArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:gcp:CloudTpu", name, None, opts)
        labels = dict(args.labels)
        # Google can neither move nor shrink a disk, and deletes no attached disk. With zone and size in the
        # logical name a change creates a new disk, and the old one is deleted after its machine.
        disk = gcp.compute.Disk(
            f"{name}-data-{args.zone}-{args.disk_gb}",
            name=f"{args.disk}-{args.disk_gb}",
            zone=args.zone,
            type=args.disk_type,
            size=args.disk_gb,
            opts=pulumi.ResourceOptions(parent=self),
        )
        gcp.tpu.V2Vm(
            f"{name}-vm",
            name=args.machine,
            zone=args.zone,
            accelerator_type=args.tpu_type,
            runtime_version=args.runtime_version,
            network_config={
                "network": args.network,
                "subnetwork": args.subnetwork,
                "enable_external_ips": False,
            },
            service_account={
                "email": args.email,
                # The widest scope, on purpose: only IAM limits the account.
                "scopes": ["https://www.googleapis.com/auth/cloud-platform"],
            },
            scheduling_config={"spot": args.spot},
            shielded_instance_config={"enable_secure_boot": True},
            data_disks=[{"source_disk": disk.id, "mode": "READ_WRITE"}],
            metadata={"enable-oslogin": "TRUE", **args.metadata},
            labels=labels,
            opts=pulumi.ResourceOptions(
                parent=self,
                # Only one machine at a time can have the disk attached for writing.
                delete_before_replace=True,
                # A machine mounts its data disk only when it starts.
                replace_on_changes=["dataDisks"],
                ignore_changes=[f'metadata["{args.ignored_metadata}"]'],
                hooks=pulumi.ResourceHookBinding(on_error=[args.on_error]),
            ),
        )
        self.register_outputs({})
