"""Origins of web pages that may call the server from a browser."""

import re
from typing import Annotated

from pydantic import AfterValidator

_ORIGIN = re.compile(r"https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[1-9]\d{0,4})?")
EVERY = "*"


def _origins(values: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the origins as browsers send them (RFC 6454, 6.2). Raises ValueError without an end mark."""
    for value in values:
        if value != EVERY and not _ORIGIN.fullmatch(value):
            raise ValueError(
                f"{value!r} is not an origin; write it as a browser sends it, without a path, as in "
                "https://chat.example.com, or write '*' for every page"
            )
    return values


WebOrigins = Annotated[tuple[str, ...], AfterValidator(_origins)]
"""Scheme and host of each page, or `*` for all pages."""
