"""The compile-cache counts of a server's warm-up: in its log for people, and in the file of its cache events
for the sidecar."""

import json
from pathlib import Path
from typing import Any, cast


def line(counts: dict[str, float]) -> str:
    """Returns the record of `counts` as one line for a log."""
    return "compile cache: " + json.dumps({name: round(value, 3) for name, value in counts.items()})


def of_file(events: Path) -> dict[str, Any] | None:
    """Returns the counts in the file of agent/server/compile_cache_events.py; None during the warm-up."""
    try:
        counts: Any = json.loads(events.read_text("utf-8"))["warm_up"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return cast(dict[str, Any], counts) if isinstance(counts, dict) else None


def misses(counts: dict[str, Any] | None) -> int | None:
    """Returns how many programs a warm-up with these counts compiled; None if they do not say it."""
    return None if counts is None or "misses" not in counts else int(counts["misses"])
