"""One TPU VM of the Cloud TPU API: the same boot and server, without a group that recreates the machine."""

from __future__ import annotations

import pulumi
import pulumi.runtime

from components.gcp.project_services import Apis, ApisArgs
from components.gcp.tpu_vm import CloudTpu, CloudTpuArgs
from config.checks import problems, refuse
from config.settings import Settings
from config.targets import TpuVmTarget
from serving.deploy import container_layout, vm_boot
from serving.hardware.machines import vm_data_gb
from stacks import outputs
from stacks.gcp import common, stockout
from stacks.plan import plan
from stacks.tpu_vm import checks
from stacks.tpu_vm.access import access
from stacks.tpu_vm.boot_metadata import ATTRIBUTES, SIDECAR, content_digest, identity, metadata
from stacks.tpu_vm.monitoring import machine_monitoring

DATA_DEVICE = "persistent-disk-1"
"""Compute Engine's default device name of the first disk after the boot disk. The Cloud TPU API sets none."""

LIMITS = (
    "The Cloud TPU API is no longer developed; set target.api to compute-engine when you have its quota.",
    "`pulumi up` ends when the machine exists; /run/tpuserve/status.json on it shows whether it serves.",
    "A preempted machine is not recreated and holds its quota: run `pulumi destroy`, then `pulumi up`.",
    "Only systemd on the machine restarts the server; no health check replaces a broken machine.",
)


def build(settings: Settings, target: TpuVmTarget) -> None:
    """Declares the stack and its outputs. Raises ValueError for settings that could not work."""
    refuse(problems(settings, placeholders=pulumi.runtime.is_dry_run()))
    image = settings.image_name
    assert image is not None
    resolved = plan(settings, image)
    slice_ = resolved.candidate.accelerator
    refuse(checks.baked_cache_problems(settings, target, resolved))
    assert slice_.tpu_type is not None and slice_.runtime_version is not None
    for limit in LIMITS:
        pulumi.log.warn(limit)
    stack_access = access(target, pulumi.get_stack(), image)
    api = Apis("apis", ApisArgs(services=["tpu.googleapis.com"]), stack_access.opts)
    disk_path = vm_boot.data_disk(DATA_DEVICE)
    attributes = metadata(settings, target, resolved, stack_access, disk_path)
    machine = attributes.apply(
        lambda texts: f"{stack_access.name}-{content_digest(identity(texts, settings, resolved))}"
    )
    tpu = CloudTpu(
        "tpu",
        CloudTpuArgs(
            machine=machine,
            disk=f"{stack_access.name}-data",
            zone=target.zone,
            tpu_type=slice_.tpu_type,
            runtime_version=slice_.runtime_version,
            disk_type=slice_.disk_types[0],
            disk_gb=vm_data_gb(resolved.candidate.model.weight_bytes),
            network=stack_access.foundation.network,
            subnetwork=stack_access.foundation.subnetwork,
            email=stack_access.email,
            spot=target.capacity.kind == "spot",
            metadata={key: attributes[key] for key in ATTRIBUTES},
            ignored_metadata=SIDECAR,
            labels=common.labels(),
            on_error=stockout.hook(target, slice_, target.capacity),
        ),
        pulumi.ResourceOptions.merge(stack_access.ready, pulumi.ResourceOptions(depends_on=[api])),
    )
    endpoint = machine.apply(lambda name: tunnel(target, name))
    machine_monitoring(settings, target, resolved, stack_access, [tpu])
    outputs.export(settings, resolved, endpoint)
    pulumi.export("machine", machine)
    pulumi.export("limits", list(LIMITS))


def tunnel(target: TpuVmTarget, machine: str) -> str:
    """Returns the command that reaches the machine. Of Google Cloud CLI 528, only alpha knows IAP here."""
    return (
        f"http://localhost:{container_layout.PORT}/v1 while this runs: gcloud alpha compute tpus tpu-vm ssh "
        f"{machine} --zone={target.zone} --project={target.project} --tunnel-through-iap -- "
        f"-N -L {container_layout.PORT}:$(hostname -i):{container_layout.PORT}"
    )
