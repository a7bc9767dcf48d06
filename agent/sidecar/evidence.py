"""Checks of what the server itself reports: compilations after the warm-up, and misses of its cache."""

import asyncio
import json
from pathlib import Path
from typing import Any

from agent.server.request_fields import is_object
from agent.sidecar.client import Failed
from agent.sidecar.engine_events import Events, events
from agent.sidecar.run import Run, Skipped, Warned
from agent.sidecar.settings import Settings

SETTLE_SECONDS = 2.0
"""Seconds after which the engine has written its last count: it writes at most once a second."""


async def settled_events(settings: Settings) -> Events:
    """Returns the engine's counts after its last request. Raises Failed."""
    before = None
    while True:
        now = events(settings)
        if now is None:
            raise Failed(
                f"{settings.cache_events_file} has no counts of compilations; the server needs the variable "
                "TPUSERVE_CACHE_EVENTS_FILE and the agent on PYTHONPATH"
            )
        if now == before:
            return now
        before = now
        await asyncio.sleep(SETTLE_SECONDS)


async def compiled(run: Run) -> str:
    """Requires that no request of the checks before waited for the compiler.

    Small operations are compiled with the first request of each kind, whatever the warm-up does
    (SLOW_SECONDS in agent/server/compile_cache_events.py).
    """
    counts = await settled_events(run.settings)
    if counts.warm_up is None:
        raise Failed("the engine has not reported the end of its warm-up")
    unexpected = [slow for slow in counts.slow_after_warm_up if slow not in run.image_programs]
    if unexpected:
        first = unexpected[0]
        raise Failed(
            f"requests waited for the compiler: {len(unexpected)} programs took long after the warm-up, such "
            f"as {first.name} with {first.seconds:.1f} s; the warm-up must prepare every shape that the "
            "engine's limits allow"
        )
    if run.image_programs:
        seconds = sum(slow.seconds for slow in run.image_programs)
        raise Warned(
            f"The first image waited {seconds:.1f} s for the vision tower's programs; set "
            "engine.vision_programs, and the warm-up compiles them."
        )
    return (
        f"No request waited for a slow program; {counts.compiled_after_warm_up} small ones were compiled "
        "after the warm-up."
    )


async def cache_misses(run: Run) -> str:
    """Warns when a restored cache lacked programs."""
    restored = read_status(run.settings.cache_restore_file)
    if restored.get("result") != "restored":
        why = restored.get("sentence") or "nothing was noted about it"
        raise Skipped(f"No compile cache was restored before this start ({why}).")
    counts = events(run.settings)
    if counts is None or counts.warm_up is None:
        raise Warned("The restored compile cache cannot be judged: the engine has not reported its warm-up.")
    if counts.warm_up.misses > 0:
        raise Warned(
            f"The restored compile cache lacked {counts.warm_up.misses:.0f} of {counts.warm_up.requests:.0f} "
            "programs, so this start compiled them."
        )
    return f"The restored compile cache had all {counts.warm_up.requests:.0f} programs."


def read_status(file: Path) -> dict[str, Any]:
    """Returns the JSON object in a status file; an empty one when it is missing or broken."""
    try:
        content: Any = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if is_object(content) else {}
