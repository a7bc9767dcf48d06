"""The name that someone probably meant."""

import difflib
from collections.abc import Iterable


def nearest(name: str, names: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The one of `names` that begins with `name`, or else is most like it; None when none is like it.

    `cutoff` is the least similarity (0 to 1, difflib's ratio).
    """
    known = list(names)
    begins = [other for other in known if other.startswith(name)]
    near = begins[:1] or difflib.get_close_matches(name, known, n=1, cutoff=cutoff)
    return near[0] if near else None


def unknown(kind: str, name: str, names: Iterable[str]) -> str:
    """The sentence for a `name` that no table row of this `kind` has."""
    known = list(names)
    near = nearest(name.lower(), known)
    advice = f"set {kind} to {near}" if near else "choose one of them"
    return f"{kind} {name!r} does not exist: there are {', '.join(known)}; {advice}."
