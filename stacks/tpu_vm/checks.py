"""What a stack of TPU VMs may not ask for, found before anything is asked of Google."""

from __future__ import annotations

from collections.abc import Iterator

from components.gcp.instance_group import MAX_INITIAL_DELAY_SECONDS
from config.settings import Settings
from config.targets import TpuVmTarget
from serving.deploy import baked_cache
from serving.hardware.accelerators import Accelerator
from serving.models.spec import ModelSpec
from serving.startup.cold_start import ColdStart
from stacks.gcp import checks
from stacks.plan import Plan

# Between the soft-off signal and the end (Compute API, `scheduling.skipGuestOsShutdown`).
WINDOW_SECONDS = {"on-demand": 120, "reservation": 120, "flex-start": 120, "spot": 30}


def problems(
    settings: Settings, target: TpuVmTarget, accelerator: Accelerator, model: ModelSpec
) -> Iterator[str]:
    """One sentence for each thing that could not work, all of them at once."""
    yield from checks.problems(settings, target, accelerator, model)
    if target.other_zones:
        yield from _regional(target, accelerator)
    if target.endpoint is not None and target.endpoint.exposure == "public":
        yield (
            "target.endpoint.exposure is public, and TPU VMs are offered inside the VPC alone; set it to "
            "internal, or target.kind to gke."
        )
    if target.capacity.kind == "flex-start" and target.keep_data:
        yield (
            "target.keep_data is true and target.capacity is flex-start, whose machines are deleted at their "
            "end and never repaired; set target.keep_data to false."
        )
    if target.second_slice and target.keep_data:
        yield (
            "target.second_slice and target.keep_data are both true, but two groups at once cannot have one "
            "disk; set target.keep_data to false: each machine then fetches the weights again."
        )


def _regional(target: TpuVmTarget, accelerator: Accelerator) -> Iterator[str]:
    """What a group over several zones cannot be."""
    near = [
        zone for zone in accelerator.zones if zone != target.zone and zone.startswith(f"{target.region}-")
    ]
    for zone in target.other_zones:
        if zone not in near:
            offered = f"there are {', '.join(near)}" if near else "there is none"
            yield (
                f"target.other_zones has {zone}, which is no other zone of {target.region} with "
                f"{accelerator.name}: {offered}; leave {zone} out."
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


def too_slow(cold_start: ColdStart) -> Iterator[str]:
    """Google can be told to wait an hour at most for the machines of a group."""
    if cold_start.budget_seconds > MAX_INITIAL_DELAY_SECONDS:
        yield (
            f"A boot may take {cold_start.budget_seconds:,} seconds, and a group of TPU VMs is given "
            f"{MAX_INITIAL_DELAY_SECONDS:,} at most by Google; have fewer programs compiled "
            "(engine.bucket_padding_gap 0, no speculative decoding), or set target.kind to gke."
        )


def baked_cache_pages(target: TpuVmTarget, resolved: Plan) -> Iterator[str]:
    """A cache made without a TPU has one size of KV cache in its keys."""
    problem = baked_cache.problem(resolved.accelerator, resolved.model, resolved.engine)
    if target.baked_cache and problem is not None:
        yield f"target.baked_cache is true, but {problem}"


def shutdown(settings: Settings, leave_seconds: int, window: int) -> str:
    """What becomes of requests when Google takes the machine."""
    left = window - leave_seconds
    sure = (
        "none is cut" if settings.longest_request_seconds <= left else f"longer ones are cut after {left} s"
    )
    return (
        f"{window} s from Google's signal to the end: {leave_seconds} s until load balancers have left, "
        f"then {left} s for requests in flight, which may take {settings.longest_request_seconds} s; {sure}"
    )
