"""Checks of a planned stack of TPU VMs, before Pulumi sends any request to Google."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from components.gcp.instance_group import MAX_INITIAL_DELAY_SECONDS
from components.gcp.provisioning import ProvisioningModel
from config.settings import Settings
from config.targets import TpuVmTarget
from serving.deploy import baked_cache
from stacks.plan import Plan

STOP_SECONDS: Mapping[ProvisioningModel, int] = {
    "on-demand": 120,
    "reservation": 120,
    "flex-start": 120,
    "spot": 30,
}
"""Seconds from the soft-off signal to a machine's end (Compute API, `scheduling.skipGuestOsShutdown`)."""


def slow_boots(seconds: int) -> Iterator[str]:
    """Yields a sentence for a boot that with its acceptance may take longer than Google waits for a group's
    machines."""
    if seconds > MAX_INITIAL_DELAY_SECONDS:
        yield (
            f"A boot with its acceptance may take {seconds:,} seconds, and Google waits at most "
            f"{MAX_INITIAL_DELAY_SECONDS:,} seconds for a machine of a group; compile fewer programs "
            "(engine.bucket_padding_gap 0, no speculative decoding), or set target.kind to gke."
        )


def baked_cache_problems(settings: Settings, target: TpuVmTarget, resolved: Plan) -> Iterator[str]:
    """Yields a sentence for an engine whose programs cannot be compiled without a TPU beforehand, and for a
    release whose record names its compile cache."""
    if not target.baked_cache:
        return
    if settings.promotion is not None:
        yield (
            "target.baked_cache is true and release is set, whose record names the only compile cache that "
            "it starts with; set target.baked_cache to false."
        )
    problem = baked_cache.problem(resolved.candidate)
    if problem is not None:
        yield f"target.baked_cache is true, but {problem}"


def shutdown(settings: Settings, leave_seconds: int, window_seconds: int) -> str:
    """Returns a line on the requests in flight when Google stops a machine, for the stack's outputs."""
    drain_seconds = window_seconds - leave_seconds
    longest_seconds = settings.longest_request_seconds
    consequence = (
        "none is cut" if longest_seconds <= drain_seconds else f"longer ones are cut after {drain_seconds} s"
    )
    return (
        f"{window_seconds} s from Google's signal to the end: {leave_seconds} s until load balancers have "
        f"left, then {drain_seconds} s for requests in flight, which may take {longest_seconds} s; "
        f"{consequence}"
    )
