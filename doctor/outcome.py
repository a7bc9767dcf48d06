"""Outcome of a check: a state and one sentence."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "missing", "not asked"]
"""ok: as the stack needs it. note: `up` works, and this will matter later. missing: `up` or the server fails.
not asked: nobody could be asked."""


@dataclass(frozen=True)
class Outcome:
    """State of what a check asked for. The sentence says what was asked, what is true, and what to change."""

    state: State
    sentence: str
    ends_asking: bool = False
    """True when Google cannot answer the other checks either."""


def ok(sentence: str) -> Outcome:
    """Returns the outcome of a check that found what the stack needs."""
    return Outcome("ok", sentence)


def note(sentence: str) -> Outcome:
    """Returns the outcome of a check that found something to do after `up`."""
    return Outcome("note", sentence)


def missing(sentence: str, *, ends_asking: bool = False) -> Outcome:
    """Returns the outcome of a check that did not find what the stack needs."""
    return Outcome("missing", sentence, ends_asking)


def not_asked(sentence: str) -> Outcome:
    """Returns the outcome of a check that could ask nobody."""
    return Outcome("not asked", sentence)
