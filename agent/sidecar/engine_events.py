"""Counts of compiled programs, as the engine writes them (agent/server/compile_cache_events.py)."""

from pydantic import BaseModel, ValidationError

from agent.sidecar.settings import Settings


class Counts(BaseModel):
    """Programs that were looked up in the compile cache, and the time that XLA took."""

    requests: float
    hits: float
    misses: float
    compile_seconds: float


class Slow(BaseModel):
    """Program whose compilation a user would notice."""

    name: str
    seconds: float


class Events(Counts):
    """Counts of agent/server/compile_cache_events.py; `warm_up` is None before the warm-up's end.

    `started` is the Unix time of the engine's start.
    """

    started: float
    warm_up: Counts | None
    compiled_after_warm_up: int
    slow_programs: int
    slow_after_warm_up: tuple[Slow, ...]


def events(settings: Settings) -> Events | None:
    """Returns the engine's counts; None when there are none, or when they cannot be read."""
    try:
        return Events.model_validate_json(settings.cache_events_file.read_bytes())
    except (OSError, ValidationError):
        return None
