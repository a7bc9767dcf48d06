"""Instance template of a TPU VM: machine, disks, network, identity, and the boot in its metadata."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp
from pulumi_gcp.compute import InstanceTemplateDiskArgsDict

from components.gcp.provisioning import Provisioning, template_fields

IMAGE = "projects/ubuntu-os-accelerator-images/global/images/family/ubuntu-accel-2204-amd64-tpu-v5e-v5p-v6e"
"""Google's Ubuntu 22.04 image with the TPU's kernel modules, without a container runtime."""


@dataclass(frozen=True, kw_only=True)
class InstanceTemplateArgs:
    """Arguments of the template."""

    template: pulumi.Input[str]
    """Prefix of the physical name, of at most 37 characters. It must change with the content, because Google
    cannot change a template."""
    machine_type: str
    disk_type: str
    boot_disk_gb: int
    data_disk: str | None
    """Device name of the data disk; None when everything is on the boot disk."""
    data_disk_gb: int
    """Size of the data disk in GB; unused without one."""
    subnetwork: pulumi.Input[str]
    email: pulumi.Input[str]
    """Email of the machine's service account."""
    provisioning: Provisioning
    metadata: Mapping[str, pulumi.Input[str]]
    """Metadata attributes with the boot script and its files. They hold no secret."""
    ignored_metadata: str
    """Attribute whose own change replaces nothing. What else replaces the template brings the new text."""
    labels: Mapping[str, str]


class InstanceTemplate(pulumi.ComponentResource):
    """One immutable instance template. Each change replaces it, so it is never protected. The old template is
    deleted after the group uses the new one."""

    link: pulumi.Output[str]
    """Self link, for managed instance groups."""

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
                    # Deleted with the group. The group's stateful policy keeps the disk during repairs.
                    "auto_delete": True,
                    "device_name": args.data_disk,
                    "disk_type": args.disk_type,
                    "disk_size_gb": args.data_disk_gb,
                    "labels": labels,
                }
            )
        scheduling, affinity = template_fields(args.provisioning)
        template = gcp.compute.InstanceTemplate(
            f"{name}-template",
            # The provider adds digits that are new each time. With a fixed name, the way back after an `up`
            # that failed would meet the old template, which the failed `up` has left to be deleted.
            name_prefix=args.template,
            machine_type=args.machine_type,
            disks=disks,
            # Without access_configs there is no public address.
            network_interfaces=[{"subnetwork": args.subnetwork}],
            # The widest scope, on purpose: only IAM limits the account.
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
                # The boot reports its progress as guest attributes, to everyone who may read the instance.
                "enable-guest-attributes": "TRUE",
                "serial-port-logging-enable": "TRUE",
                **args.metadata,
            },
            labels=labels,
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=False,
                delete_before_replace=False,
                ignore_changes=[f'metadata["{args.ignored_metadata}"]'],
            ),
        )
        self.link = template.self_link
        self.register_outputs({"link": self.link})
