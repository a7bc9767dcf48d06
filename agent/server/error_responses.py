"""Error answers: the guard's, and vLLM's in their last form.

Every error that leaves the server has a message and the form of the API that was called: Anthropic's on
/v1/messages, OpenAI's elsewhere.
"""

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from agent.server.request_fields import is_object

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

CUT_OFF = (
    "This server was shut down before the answer was complete; retry: another server will handle the request."
)
NO_MESSAGE = (
    "This server failed without a message (HTTP {status}). Send the request again; if it fails again, the "
    "operator finds the cause in the server's log at this time."
)

RETRY_AFTER = (b"retry-after", b"1")
"""Header of every 503: a second later another server, or this one, may have room."""

STREAM_ENDS = (b"[DONE]", b"response.completed", b"response.incomplete", b"response.failed", b"message_stop")
"""Text in the last event of a complete stream: completions and chat, responses (three), messages."""

KINDS = {400: "BadRequestError", 401: "AuthenticationError", 404: "NotFoundError", 413: "BadRequestError"}
"""`type` of OpenAI's error object by HTTP status, as vLLM writes it; other statuses have
`ServiceUnavailableError`."""

ANTHROPIC_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    529: "overloaded_error",
}
"""`type` of Anthropic's error object by HTTP status; others are `api_error`.
https://docs.anthropic.com/en/api/errors"""

ERROR_BYTES = 1024 * 1024
"""A longer error is passed on as it is; vLLM's own are some kilobytes at most."""

EMPTY_MESSAGE = re.compile(rb'"message":\s?""')
"""In JSON this stands outside of any text: a quotation mark inside a text has a backslash."""


def error_json(path: str, status: int, sentence: str, field: str | None = None) -> bytes:
    """Return the error object of the API that `path` belongs to."""
    if path.startswith("/v1/messages"):
        kind = ANTHROPIC_KINDS.get(status, "api_error")
        return json.dumps({"type": "error", "error": {"type": kind, "message": sentence}}).encode()
    kind = KINDS.get(status, "ServiceUnavailableError")
    return json.dumps({"error": {"message": sentence, "type": kind, "param": field, "code": status}}).encode()


async def error(send: Send, path: str, status: int, sentence: str, field: str | None = None) -> None:
    """Answer with an error instead of the application."""
    body = error_json(path, status, sentence, field)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if status in (413, 503):
        # The unread rest of the body, or a next request to a stopping server, must not follow.
        headers.append((b"connection", b"close"))
    if status == 503:
        headers.append(RETRY_AFTER)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def complete(path: str, status: int, body: bytes) -> bytes:
    """Return vLLM's error `body` with a message, and in the form of the API that `path` belongs to.

    An OpenAI error that has a message stays as it is.
    """
    try:
        content = json.loads(body)
    except ValueError:
        content = body.decode("utf-8", "replace").strip()
    inner = content.get("error", content.get("detail")) if is_object(content) else content
    message = inner.get("message") if is_object(inner) else inner
    whole = is_object(inner) and isinstance(message, str) and message != ""
    if whole and not path.startswith("/v1/messages"):
        return body
    if not isinstance(message, str):
        message = json.dumps(message) if message else ""
    field = inner.get("param") if is_object(inner) else None
    return error_json(path, status, message or NO_MESSAGE.format(status=status), field)


class Answer:
    """The application's answer on its way to the client, chunk by chunk.

    Only an error is held back until it is complete.
    """

    def __init__(self, send: Send, path: str, stopping: Callable[[], bool]) -> None:
        self._send = send
        self._path = path
        self._stopping = stopping
        self._started = self._streaming = self._finished = False
        self._last = b""
        self._held: Message | None = None
        self._error = bytearray()

    async def send(self, message: Message) -> None:
        """Be the application's `send`. A stopping vLLM may end an incomplete stream without an error."""
        if message["type"] == "http.response.start":
            self._started = True
            self._streaming = any(b"text/event-stream" in value for _, value in message["headers"])
            if message["status"] >= 400 and not self._streaming:
                self._held = message
                return
        elif message["type"] == "http.response.body":
            if self._held is not None:
                await self._hold(self._held, message)
                return
            if self._streaming:
                message = self._event_of(message)
            self._finished = self._finished or not message.get("more_body")
        await self._send(message)

    def _event_of(self, message: Message) -> Message:
        body = message.get("body", b"")
        if b'"error"' in body and EMPTY_MESSAGE.search(body):
            sentence = json.dumps(NO_MESSAGE.format(status=500)).encode()
            body = EMPTY_MESSAGE.sub(lambda _: b'"message":' + sentence, body)
        self._last = body or self._last
        cut = not message.get("more_body") and self._stopping()
        if cut and not any(end in self._last for end in STREAM_ENDS):
            body += self._cut_off_event()
        return {**message, "body": body}

    async def _hold(self, start: Message, message: Message) -> None:
        self._error += message.get("body", b"")
        if message.get("more_body") and len(self._error) <= ERROR_BYTES:
            return
        body, self._held = bytes(self._error), None
        headers = start["headers"]
        if not message.get("more_body"):
            self._finished = True
            body = complete(self._path, start["status"], body)
            replaced = (b"content-length", b"content-type")
            headers = [(name, value) for name, value in headers if name.lower() not in replaced]
            headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        if start["status"] == 503 and not any(name.lower() == RETRY_AFTER[0] for name, _ in headers):
            # A full queue (--max-num-queued-reqs): vLLM sends no such header.
            headers = [*headers, RETRY_AFTER]
        await self._send({**start, "headers": headers})
        await self._send({**message, "body": body})

    async def cut_off(self) -> None:
        """End an answer that the application will not complete."""
        if not self._started or self._held is not None:
            await error(self._send, self._path, 503, CUT_OFF)
        elif self._streaming and not self._finished:
            await self._send(
                {"type": "http.response.body", "body": self._cut_off_event(), "more_body": False}
            )

    def _cut_off_event(self) -> bytes:
        name = b"event: error\n" if self._path.startswith("/v1/messages") else b""
        return name + b"data: " + error_json(self._path, 503, CUT_OFF) + b"\n\n"
