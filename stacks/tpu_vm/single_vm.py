"""One TPU VM of the Cloud TPU API: the same boot and server, without a group that heals it."""

from __future__ import annotations

import pulumi
import pulumi.runtime

from components.gcp.project_services import Apis, ApisArgs
from components.gcp.tpu_vm import CloudTpu, CloudTpuArgs
from config.checks import problems, refuse
from config.settings import Settings
from config.targets import TpuVmTarget
from serving.deploy import container_layout, vm_boot
from stacks import outputs
from stacks.gcp import common, stockout
from stacks.plan import plan
from stacks.tpu_vm import checks
from stacks.tpu_vm.access import site
from stacks.tpu_vm.boot_metadata import ATTRIBUTES, data_gb, digits, metadata

DATA_DEVICE = "persistent-disk-1"
"""The API gives no name to a disk, so Compute Engine's own for the first after the boot disk."""

LIMITS = (
    "The Cloud TPU API is no longer developed; use api compute-engine as soon as you have its quota.",
    "`pulumi up` ends when the machine exists, not when it serves: /run/tpuserve/status.json on it tells.",
    "A preempted machine stays as it is and holds its quota: `pulumi destroy`, then `pulumi up`.",
    "Nothing watches the server but systemd on its machine: a sick machine stays sick.",
)


def build(settings: Settings, target: TpuVmTarget) -> None:
    """Declare the stack and its outputs."""
    refuse(problems(settings, placeholders=pulumi.runtime.is_dry_run()))
    assert settings.image is not None
    resolved = plan(settings, settings.image)
    slice_ = resolved.candidate.accelerator
    refuse(checks.baked_cache_pages(target, resolved))
    assert slice_.tpu_type is not None and slice_.runtime_version is not None
    for limit in LIMITS:
        pulumi.log.warn(limit)
    here = site(target, pulumi.get_stack())
    api = Apis("apis", ApisArgs(services=["tpu.googleapis.com"]), here.opts)
    texts = metadata(settings, target, resolved, here.shared, vm_boot.data_disk(DATA_DEVICE))
    machine = texts.apply(lambda found: f"{here.name}-{digits(found)}")
    CloudTpu(
        "tpu",
        CloudTpuArgs(
            machine=machine,
            disk=f"{here.name}-data",
            zone=target.zone,
            tpu_type=slice_.tpu_type,
            runtime_version=slice_.runtime_version,
            disk_type=slice_.disk_types[0],
            disk_gb=data_gb(resolved.candidate.model),
            network=here.shared.network,
            subnetwork=here.shared.subnetwork,
            email=here.email,
            spot=target.capacity.kind == "spot",
            metadata={key: texts[key] for key in ATTRIBUTES},
            labels=common.labels(),
            on_error=stockout.hook(target, slice_, target.capacity),
        ),
        pulumi.ResourceOptions.merge(here.ready, pulumi.ResourceOptions(depends_on=[api])),
    )
    outputs.export(resolved, machine.apply(lambda made: tunnel(target, made)), target.region, target.capacity)
    pulumi.export("limits", list(LIMITS))


def tunnel(target: TpuVmTarget, machine: str) -> str:
    """How to reach the machine."""
    return (
        f"http://localhost:{container_layout.PORT}/v1 while this runs: gcloud compute tpus tpu-vm ssh "
        f"{machine} --zone={target.zone} --project={target.project} --tunnel-through-iap -- "
        f"-N -L {container_layout.PORT}:$(hostname -i):{container_layout.PORT}"
    )
