"""Origins of web pages that may call the server from a browser."""

import re
from typing import Annotated

from pydantic import AfterValidator

_ORIGIN = re.compile(r"(https?)://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(?::([1-9]\d{0,4}))?")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LAST_PORT = 65_535
EVERY = "*"


def _origins(values: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the origins as browsers send them (RFC 6454, 6.2). Raises ValueError without an end mark."""
    for value in values:
        if value != EVERY and (problem := _problem(value)):
            raise ValueError(f"{value!r} {problem}")
    return values


def _problem(value: str) -> str | None:
    """Returns why no browser sends this origin; the guard compares it byte by byte (agent/server/cors.py)."""
    parts = _ORIGIN.fullmatch(value)
    if parts is None:
        return (
            "is not an origin; write it as a browser sends it, without a path, as in "
            "https://chat.example.com, or write '*' for every page"
        )
    scheme, port = parts[1], int(parts[3] or 0)
    if port == _DEFAULT_PORTS[scheme]:
        return f"has the port of {scheme}, which a browser does not send; leave :{port} out"
    if port > _LAST_PORT:
        return f"has the port {port}, and the last port is {_LAST_PORT}; write the port of the web page"
    return None


WebOrigins = Annotated[tuple[str, ...], AfterValidator(_origins)]
"""Scheme and host of each page, or `*` for all pages."""
