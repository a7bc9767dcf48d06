"""Answers of the guard's own, and the end of an answer that vLLM could not finish."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

CUT_OFF = "This server was shut down before it had finished; send the request again, another one takes it."

STREAM_ENDS = (b"[DONE]", b"response.completed", b"response.incomplete", b"response.failed", b"message_stop")
"""What the last event of a whole stream holds: completions and chat, responses (three), messages."""

KINDS = {400: "BadRequestError", 401: "AuthenticationError", 404: "NotFoundError", 413: "BadRequestError"}
"""`type` of OpenAI's error object by HTTP status, as vLLM writes it; others are of an unavailable service."""


def error_json(status: int, sentence: str, field: str | None = None) -> bytes:
    """OpenAI's error object."""
    kind = KINDS.get(status, "ServiceUnavailableError")
    return json.dumps({"error": {"message": sentence, "type": kind, "param": field, "code": status}}).encode()


async def error(send: Send, status: int, sentence: str, field: str | None = None) -> None:
    """Answer with an error instead of the application."""
    body = error_json(status, sentence, field)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if status in (413, 503):
        # What was not read of the body, or another request on a stopping server, must not follow.
        headers.append((b"connection", b"close"))
    if status == 503:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Answer:
    """Passes the application's answer on and knows how far it came."""

    def __init__(self, send: Send, stopping: Callable[[], bool]) -> None:
        self._send = send
        self._stopping = stopping
        self._started = self._streaming = self._finished = False
        self._last = b""

    async def send(self, message: Message) -> None:
        """ASGI's send. A stopping vLLM may end a stream midway as if it were whole: it gets an error."""
        if message["type"] == "http.response.start":
            self._started = True
            self._streaming = any(b"text/event-stream" in value for _, value in message["headers"])
        elif message["type"] == "http.response.body":
            self._last = message.get("body") or self._last
            if not message.get("more_body"):
                if self._streaming and self._stopping() and not any(end in self._last for end in STREAM_ENDS):
                    message = {**message, "body": message.get("body", b"") + self._event()}
                self._finished = True
        await self._send(message)

    async def cut_off(self) -> None:
        """End an answer that nobody will finish."""
        if not self._started:
            await error(self._send, 503, CUT_OFF)
        elif self._streaming and not self._finished:
            await self._send({"type": "http.response.body", "body": self._event(), "more_body": False})

    @staticmethod
    def _event() -> bytes:
        return b"data: " + error_json(503, CUT_OFF) + b"\n\n"
