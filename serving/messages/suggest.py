"""Suggestions for a name that does not exist."""

import difflib
from collections.abc import Iterable


def nearest(name: str, names: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Returns the first of `names` that begins with `name`, else the most similar one, else None.

    `cutoff` is the least similarity (0 to 1, difflib's ratio).
    """
    known = list(names)
    begins = [other for other in known if other.startswith(name)]
    near = begins[:1] or difflib.get_close_matches(name, known, n=1, cutoff=cutoff)
    return near[0] if near else None


LONGEST_QUOTED = 32
"""Characters of a user's text that a message may repeat.

Names and choices are shorter. A token that was pasted into the wrong place is longer:
Hugging Face's has 37 characters, a Google API key 39, and a key that `make key` made 43.
"""


def quoted(text: str) -> str:
    """Returns a user's text as a message may show it: in quotes, or its length where it may be a secret."""
    return repr(text) if len(text) <= LONGEST_QUOTED else f"of {len(text)} characters"


def unknown(kind: str, name: str, names: Iterable[str]) -> str:
    """Returns the sentence for a `name` that no row of a table of this `kind` has."""
    known = list(names)
    near = nearest(name.lower(), known)
    advice = f"set {kind} to {near}" if near else "choose one of them"
    return f"{kind} {quoted(name)} does not exist: there are {', '.join(known)}; {advice}."
