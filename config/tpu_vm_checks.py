"""Checks of a stack of TPU VMs that no single field can make, without Pulumi."""

from __future__ import annotations

from collections.abc import Iterator

from config.settings import Settings
from config.targets import TpuVmTarget
from serving.hardware.accelerators import Accelerator
from serving.hardware.zones import region_of

OUTSIDE_THE_CLUSTER = (
    "engine.otlp_traces_endpoint is a Service of a cluster, which a machine outside the cluster does not "
    "reach; remove it, or serve with target.kind gke."
)
"""Sentence about a collector of traces, for TPU VMs and for machines that run a compose file."""


def tpu_vm_problems(settings: Settings, target: TpuVmTarget, accelerator: Accelerator) -> Iterator[str]:
    """Yields one sentence for each setting that a TPU VM could not have."""
    if settings.engine.get("otlp_traces_endpoint"):
        yield OUTSIDE_THE_CLUSTER
    if target.endpoint is not None and target.endpoint.exposure == "public":
        yield (
            "target.endpoint.exposure is public, and TPU VMs are offered only inside the VPC; set it to "
            "internal, or target.kind to gke."
        )
    if target.api == "cloud-tpu":
        # Its machines need the data disk, so no sentence below may say that it should go.
        yield from _cloud_tpu(settings, target)
        return
    if target.other_zones:
        yield from _regional(target, accelerator)
    if target.capacity.kind == "flex-start" and target.keep_data:
        yield (
            "target.keep_data is true and target.capacity is flex-start, whose machines are deleted at their "
            "end and never repaired; set target.keep_data to false."
        )
    if settings.rollout.surge and target.keep_data:
        yield (
            "rollout.surge is 1 and target.keep_data is true, but two machines at once cannot have one "
            "disk; set target.keep_data to false: each machine then fetches the weights again."
        )


def _regional(target: TpuVmTarget, accelerator: Accelerator) -> Iterator[str]:
    """Yields one sentence for each setting that a group over several zones cannot have."""
    near = [zone for zone in accelerator.zones if zone != target.zone and region_of(zone) == target.region]
    for zone in target.other_zones:
        if zone == target.zone or region_of(zone) != target.region:
            are = "is" if len(near) == 1 else "are"
            listed = f"of it, {' and '.join(near)} {are} listed" if near else "none of it is listed"
            yield (
                f"target.other_zones has {zone}, which is no other zone of {target.region}: {listed} for "
                f"{accelerator.name}; leave {zone} out."
            )
    if target.keep_data:
        yield (
            "target.other_zones is set and target.keep_data is true, but a disk stays in its zone; set "
            "target.keep_data to false, or leave target.other_zones out."
        )
    if target.capacity.kind == "flex-start":
        yield (
            "target.other_zones is set and target.capacity is flex-start, which Google requests in one zone; "
            "leave target.other_zones out."
        )


def _cloud_tpu(settings: Settings, target: TpuVmTarget) -> Iterator[str]:
    """Yields one sentence for each setting that the Cloud TPU API cannot do."""
    why = "and target.api is cloud-tpu"
    if target.capacity.kind not in ("on-demand", "spot"):
        yield (
            f"target.capacity is {target.capacity.kind} {why}, which has only on-demand and spot for "
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
    if settings.rollout.surge:
        yield f"rollout.surge is 1 {why}, which makes single machines; set it to 0."
