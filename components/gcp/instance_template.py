"""What one TPU VM is made from: machine, disks, network, identity, and the boot in its metadata."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp
from pulumi_gcp.compute import InstanceTemplateDiskArgsDict

from components.gcp.provisioning import Purchase, machine

IMAGE = "projects/ubuntu-os-accelerator-images/global/images/family/ubuntu-accel-2204-amd64-tpu-v5e-v5p-v6e"
"""Google's Ubuntu with the TPU's kernel parts and without a container runtime."""


@dataclass(frozen=True, kw_only=True)
class InstanceTemplateArgs:
    """`template` is the physical name: it must change with the content, which Google never changes.

    Sizes are in GB; `data_disk` is the data disk's device name, None when everything is on the boot disk.
    `metadata` holds the boot; no secret.
    """

    template: pulumi.Input[str]
    machine_type: str
    disk_type: str
    boot_disk_gb: int
    data_disk: str | None
    data_disk_gb: int
    subnetwork: pulumi.Input[str]
    email: pulumi.Input[str]
    purchase: Purchase
    metadata: Mapping[str, pulumi.Input[str]]
    labels: Mapping[str, str]


class InstanceTemplate(pulumi.ComponentResource):
    """One immutable instance template. The old one is deleted when no group uses it any more, so it is not
    protected: each change replaces it."""

    link: pulumi.Output[str]

    def __init__(
        self, name: str, args: InstanceTemplateArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tpuserve:gcp:InstanceTemplate", name, None, opts)
        labels = dict(args.labels)
        disks: list[InstanceTemplateDiskArgsDict] = [
            {
                "boot": True,
                "auto_delete": True,
                "source_image": IMAGE,
                "disk_type": args.disk_type,
                "disk_size_gb": args.boot_disk_gb,
                "labels": labels,
            }
        ]
        if args.data_disk is not None:
            disks.append(
                {
                    "boot": False,
                    # Goes with the group; what a repair keeps is the group's stateful policy.
                    "auto_delete": True,
                    "device_name": args.data_disk,
                    "disk_type": args.disk_type,
                    "disk_size_gb": args.data_disk_gb,
                    "labels": labels,
                }
            )
        scheduling, affinity = machine(args.purchase)
        template = gcp.compute.InstanceTemplate(
            f"{name}-template",
            name=args.template,
            machine_type=args.machine_type,
            disks=disks,
            # Without access_configs there is no public address.
            network_interfaces=[{"subnetwork": args.subnetwork}],
            # IAM decides alone what the account may do (the scope is the widest on purpose).
            service_account={
                "email": args.email,
                "scopes": ["https://www.googleapis.com/auth/cloud-platform"],
            },
            shielded_instance_config={
                "enable_secure_boot": True,
                "enable_vtpm": True,
                "enable_integrity_monitoring": True,
            },
            scheduling=scheduling,
            reservation_affinity=affinity,
            metadata={
                "enable-oslogin": "TRUE",
                "block-project-ssh-keys": "TRUE",
                # Where the boot tells how far it is, to whoever may see the instance.
                "enable-guest-attributes": "TRUE",
                "serial-port-logging-enable": "TRUE",
                **args.metadata,
            },
            labels=labels,
            opts=pulumi.ResourceOptions(parent=self, protect=False, delete_before_replace=False),
        )
        self.link = template.self_link
        self.register_outputs({"link": self.link})
