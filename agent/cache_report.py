"""The record of a warm-up's compile-cache counts in the server's log: its writer and its reader.

The server runs in a container and the VM's boot outside of it, so the log is what both can reach. Standard
library, Python 3.10.
"""

import json
from typing import Any, cast

_BEGINNING = "compile cache: "


def line(counts: dict[str, float]) -> str:
    """Returns the record of `counts` as one line for a log."""
    return _BEGINNING + json.dumps({name: round(value, 3) for name, value in counts.items()})


def last(log: str) -> dict[str, Any] | None:
    """Returns the counts of the last record in a log; None when there is none, or it is not whole.

    Whatever a logger puts before or after the record is ignored.
    """
    _, beginning, rest = log.rpartition(_BEGINNING)
    if not beginning:
        return None
    try:
        counts: Any = json.JSONDecoder().raw_decode(rest)[0]
    except ValueError:
        return None
    return cast(dict[str, Any], counts) if isinstance(counts, dict) else None
