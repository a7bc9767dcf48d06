"""CORS: web pages may call this server from a browser only if the operator names their origins.

The CORS headers of vLLM allow every origin by default, so the guard replaces them. A
preflight needs no key, because a browser sends none with it. Cookies are never allowed: the key is a header.
"""

import os
from collections.abc import Iterable

from agent.server.error_responses import Message, Send

VARIABLE = "TPUSERVE_ALLOWED_ORIGINS"
"""Origins with commas between them, as a browser sends them (https://chat.example.com), or `*` for all."""
MAX_AGE_SECONDS = 600

Headers = Iterable[tuple[bytes, bytes]]


def origins() -> frozenset[bytes]:
    """Return the origins that the operator allows; empty when none is set."""
    return frozenset(
        part.strip().encode() for part in os.environ.get(VARIABLE, "").split(",") if part.strip()
    )


def _header(headers: Headers, wanted: bytes) -> bytes | None:
    return next((value for name, value in headers if name == wanted), None)


class Cors:
    """CORS headers for the answer to one request."""

    def __init__(self, allowed: frozenset[bytes], request_headers: Headers) -> None:
        headers = list(request_headers)
        origin = _header(headers, b"origin")
        self._origin = origin if origin in allowed or b"*" in allowed else None
        self._asked = _header(headers, b"access-control-request-method") is not None
        self._asked_headers = _header(headers, b"access-control-request-headers")
        self._varies = bool(allowed)

    def is_preflight(self, method: str) -> bool:
        """Return whether a browser asks on behalf of an allowed page before it sends the real request."""
        return method == "OPTIONS" and self._asked and self._origin is not None

    def _own(self) -> list[tuple[bytes, bytes]]:
        own = [(b"vary", b"Origin")] if self._varies else []
        return own + ([(b"access-control-allow-origin", self._origin)] if self._origin else [])

    async def preflight(self, send: Send) -> None:
        """Answer a preflight."""
        headers = [
            *self._own(),
            (b"access-control-allow-methods", b"GET, POST"),
            (b"access-control-max-age", str(MAX_AGE_SECONDS).encode()),
            (b"content-length", b"0"),
        ]
        if self._asked_headers is not None:
            headers.append((b"access-control-allow-headers", self._asked_headers))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    def around(self, send: Send) -> Send:
        """Return a `send` that puts the guard's CORS headers in the place of vLLM's."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [
                    (name, value)
                    for name, value in message["headers"]
                    if not name.lower().startswith(b"access-control-")
                    and (name.lower(), value) != (b"vary", b"Origin")
                ]
                message = {**message, "headers": kept + self._own()}
            await send(message)

        return with_headers
