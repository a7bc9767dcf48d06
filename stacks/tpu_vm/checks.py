"""Checks of a planned stack of TPU VMs, before anything is asked of Google."""

from __future__ import annotations

from collections.abc import Iterator

from components.gcp.instance_group import MAX_INITIAL_DELAY_SECONDS
from config.settings import Settings
from config.targets import TpuVmTarget
from serving.deploy import baked_cache
from serving.startup.cold_start import ColdStart
from stacks.plan import Plan

# Between the soft-off signal and the end (Compute API, `scheduling.skipGuestOsShutdown`).
WINDOW_SECONDS = {"on-demand": 120, "reservation": 120, "flex-start": 120, "spot": 30}


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
    problem = baked_cache.problem(resolved.candidate)
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
