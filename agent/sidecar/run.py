"""One run of the acceptance: the checks share it and end with one of four results."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from agent.sidecar.client import Client
from agent.sidecar.engine_events import Slow
from agent.sidecar.prompts import TokenPrompts
from agent.sidecar.settings import Settings
from agent.sidecar.verdict import Cell


class Warned(Exception):
    """A check found something that an operator should know and that rejects nothing. The text says what."""


class Skipped(Exception):
    """A check does not apply to this server. The text says why."""


@dataclass
class Run:
    """Server under acceptance, and what the checks learn about it.

    `image_programs` are slow programs of the first image, on a server whose warm-up leaves them out.
    """

    settings: Settings
    client: Client
    tokens: TokenPrompts = field(init=False)
    image_programs: tuple[Slow, ...] = ()
    ladder: list[Cell] = field(default_factory=list[Cell])
    baseline: str | None = None

    def __post_init__(self) -> None:
        self.tokens = TokenPrompts(self.client)


Check = Callable[[Run], Awaitable[str]]
"""A check returns the sentence of its success, or raises Failed, Warned or Skipped."""
