"""One TPU VM of the Cloud TPU API, for quota that exists only there."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True)
class CloudTpuArgs:
    """`machine` is the physical name and changes with the metadata, which a machine reads at its start alone.

    `tpu_type` and `runtime_version` are the Cloud TPU API's names. `disk` begins the data disk's name, which
    ends in its size, `disk_gb`, in GB. The disk outlives the machine. `on_error` is told why Google made no
    machine.
    """

    machine: pulumi.Input[str]
    disk: str
    zone: str
    tpu_type: str
    runtime_version: str
    disk_type: str
    disk_gb: int
    network: pulumi.Input[str]
    subnetwork: pulumi.Input[str]
    email: pulumi.Input[str]
    spot: bool
    metadata: Mapping[str, pulumi.Input[str]]
    labels: Mapping[str, str]
    on_error: pulumi.ErrorHook


class CloudTpu(pulumi.ComponentResource):
    """A machine and its data disk. Nothing makes it anew when Google takes it, and `pulumi up` does not know
    whether it serves: that is what a group of Compute Engine's is for."""

    def __init__(self, name: str, args: CloudTpuArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:gcp:CloudTpu", name, None, opts)
        labels = dict(args.labels)
        # Google can neither move nor shrink a disk, and deletes none that is attached. With zone and size in
        # the name, a change makes another disk, and the old one is deleted after the machine that had it.
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
                # IAM decides alone what the account may do (the scope is the widest on purpose).
                "scopes": ["https://www.googleapis.com/auth/cloud-platform"],
            },
            scheduling_config={"spot": args.spot},
            shielded_instance_config={"enable_secure_boot": True},
            data_disks=[{"source_disk": disk.id, "mode": "READ_WRITE"}],
            metadata={"enable-oslogin": "TRUE", **args.metadata},
            labels=labels,
            # The disk is written by one machine at a time.
            opts=pulumi.ResourceOptions(
                parent=self,
                delete_before_replace=True,
                # A machine mounts its data disk only when it starts.
                replace_on_changes=["dataDisks"],
                hooks=pulumi.ResourceHookBinding(on_error=[args.on_error]),
            ),
        )
        self.register_outputs({})
