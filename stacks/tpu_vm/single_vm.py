"""One TPU VM of the Cloud TPU API: the same boot and server, without a group that heals it."""

from __future__ import annotations

from collections.abc import Iterator

import pulumi

from components.gcp.project_services import Apis, ApisArgs
from components.gcp.tpu_vm import CloudTpu, CloudTpuArgs
from config.settings import Settings
from config.targets import TpuVmTarget
from serving.deploy import container_layout, vm_boot
from serving.hardware.accelerators import accelerator
from serving.models.catalog import model
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
    slice_, spec = accelerator(settings.accelerator), model(settings.model_name)
    common.refuse(checks.problems(settings, target, slice_, spec))
    common.refuse(problems(settings, target))
    assert settings.image is not None
    resolved = plan(settings, settings.image)
    common.refuse(checks.baked_cache_pages(target, resolved))
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
            disk_gb=data_gb(resolved.model),
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


def problems(settings: Settings, target: TpuVmTarget) -> Iterator[str]:
    """What this API cannot do, one sentence each."""
    why = "and target.api is cloud-tpu"
    if target.capacity.kind not in ("on-demand", "spot"):
        yield (
            f"target.capacity is {target.capacity.kind} {why}, which has on-demand and spot alone for "
            "machines that boot by themselves; choose one of them, or target.api compute-engine."
        )
    if settings.replicas != 1:
        yield (
            f"replicas is {settings.replicas} {why}, which makes single machines; set it to 1, or target.api "
            "to compute-engine."
        )
    if target.endpoint is not None:
        yield (
            f"target.endpoint is set {why}, whose machines stand in no group; leave it out, or set "
            "target.api to compute-engine."
        )
    if not target.keep_data:
        yield (
            f"target.keep_data is false {why}, whose boot disk has 100 GB and no other size; set it to true."
        )
    if target.other_zones:
        yield f"target.other_zones is set {why}, whose machines are in one zone; leave it out."
    if target.second_slice:
        yield f"target.second_slice is true {why}, which makes single machines; set it to false."
