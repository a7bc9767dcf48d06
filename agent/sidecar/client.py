"""HTTP client of the acceptance: requests as clients of the server send them, and sentences for failures."""

import json
import time
from collections.abc import Mapping
from typing import Any

import httpx
from pydantic import BaseModel, Field, ValidationError

CONNECT_SECONDS = 10.0
SHOWN_CHARACTERS = 300
"""Characters of a server's answer that a sentence repeats."""


class Failed(Exception):
    """The server failed a check. The text says how."""


class Usage(BaseModel):
    """Token counts of an answer."""

    prompt_tokens: int
    completion_tokens: int


class Function(BaseModel):
    """Called function; `arguments` is JSON as text."""

    name: str
    arguments: str


class ToolCall(BaseModel):
    """One tool call of a message."""

    function: Function


class Message(BaseModel):
    """Answer of a chat."""

    content: str | None = None
    tool_calls: tuple[ToolCall, ...] | None = None


class ChatChoice(BaseModel):
    """One answer of a chat."""

    message: Message
    finish_reason: str


class Chat(BaseModel):
    """Answer to POST /v1/chat/completions."""

    choices: tuple[ChatChoice, ...] = Field(min_length=1)
    usage: Usage


class TextChoice(BaseModel):
    """One answer of a completion."""

    text: str
    finish_reason: str


class Completion(BaseModel):
    """Answer to POST /v1/completions."""

    choices: tuple[TextChoice, ...] = Field(min_length=1)
    usage: Usage


class Tokens(BaseModel):
    """Answer to POST /tokenize."""

    tokens: tuple[int, ...]


class StreamChoice(BaseModel):
    """Part of an answer."""

    finish_reason: str | None = None


class Event(BaseModel):
    """Event of a stream."""

    error: Any = None
    choices: tuple[StreamChoice, ...] = ()
    usage: Usage | None = None


class Stream(BaseModel):
    """Stream that was received whole, with seconds since the request was sent."""

    first_token_seconds: float
    last_token_seconds: float
    finish_reason: str
    usage: Usage


class Client:
    """Client of one server. `http` has the address and the key."""

    def __init__(self, http: httpx.AsyncClient, model: str) -> None:
        self._http, self._model = http, model

    async def ask[T: BaseModel](self, path: str, body: Mapping[str, Any], form: type[T]) -> T:
        """Returns the answer to a POST. Raises Failed for no answer, an error, or another form."""
        try:
            answer = await self._http.post(path, json={"model": self._model, **body})
        except httpx.HTTPError as problem:
            raise Failed(_unanswered(path, problem)) from None
        if answer.status_code != 200:
            raise Failed(_refused(path, answer.status_code, answer.content))
        return _parsed(path, form, answer.content)

    async def stream(self, path: str, body: Mapping[str, Any]) -> Stream:
        """Returns a stream that ended as it should: a finish reason, the token counts, and [DONE].

        Raises Failed otherwise.
        """
        asked = {
            "model": self._model,
            **body,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        received = _Received(path)
        try:
            async with self._http.stream("POST", path, json=asked) as answer:
                if answer.status_code != 200:
                    raise Failed(_refused(path, answer.status_code, await answer.aread()))
                async for line in answer.aiter_lines():
                    received.add(line)
        except httpx.HTTPError as problem:
            raise Failed(_unanswered(path, problem)) from None
        return received.whole()


class _Received:
    """Events of a stream so far."""

    def __init__(self, path: str) -> None:
        self._path, self._sent = path, time.perf_counter()
        self._first = self._last = 0.0
        self._finish: str | None = None
        self._usage: Usage | None = None
        self._done = False

    def add(self, line: str) -> None:
        """Takes one line of the stream; comments and empty lines have no meaning."""
        if not line.startswith("data:"):
            return
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            self._done = True
            return
        event = _parsed(self._path, Event, data.encode())
        if event.error is not None:
            raise Failed(f"the stream of POST {self._path} has an error: {_message(event.error)}")
        self._usage = event.usage or self._usage
        if event.choices:
            self._last = time.perf_counter() - self._sent
            self._first = self._first or self._last
            self._finish = event.choices[0].finish_reason or self._finish

    def whole(self) -> Stream:
        """Returns the stream. Raises Failed when a part is missing."""
        missing = [
            name
            for name, part in (
                ("a finish reason", self._finish),
                ("the token counts", self._usage),
                ("[DONE]", self._done),
            )
            if not part
        ]
        if missing or self._finish is None or self._usage is None:
            raise Failed(f"the stream of POST {self._path} ended without {' and '.join(missing)}")
        return Stream(
            first_token_seconds=self._first,
            last_token_seconds=self._last,
            finish_reason=self._finish,
            usage=self._usage,
        )


def _unanswered(path: str, problem: httpx.HTTPError) -> str:
    return f"POST {path} got no whole answer ({str(problem) or type(problem).__name__})"


def _refused(path: str, status: int, content: bytes) -> str:
    try:
        error = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError):
        error = content.decode("utf-8", "replace")
    return f"POST {path} got HTTP {status}: {_message(error)}"


def _message(error: Any) -> str:
    try:
        text = str(error["message"])
    except (KeyError, TypeError):
        text = str(error)
    return text[:SHOWN_CHARACTERS] or "no message"


def _parsed[T: BaseModel](path: str, form: type[T], content: bytes) -> T:
    try:
        return form.model_validate_json(content)
    except ValidationError as problem:
        first = problem.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        raise Failed(
            f"an answer of POST {path} is not as its API describes ({where}: {first['msg']})"
        ) from None
