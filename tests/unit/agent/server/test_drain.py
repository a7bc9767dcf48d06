"""The guard while its server stops: new requests are turned away, open ones end with an error."""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.server import guard as guard_module
from agent.server.guard import Guard, Message, Receive, Scope, Send
from tests.unit.agent.stand_in import CHAT, KEY, Inner, ask

SECONDS = 60
"""Bounds a failure; a busy machine takes its time."""


@pytest.fixture
def signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_stopping_server_refuses_new_requests_and_ends_open_streams(key_file: Path, signals: None) -> None:
    begun = asyncio.Semaphore(0)

    async def never_ends(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        if json.loads((await receive())["body"]).get("stream"):
            headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"data: {}\n\n", "more_body": True})
        begun.release()
        await asyncio.Event().wait()

    async def go() -> None:
        handled = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, handled.set)
        guard = Guard(never_ends)
        server = SimpleNamespace(should_exit=False)
        application = SimpleNamespace(state=SimpleNamespace(server=server))

        async def nothing(*_: Any) -> Any: ...

        await guard({"type": "lifespan", "app": application}, nothing, nothing)

        async def post(body: Any) -> list[Message]:
            sent: list[Message] = []

            async def receive() -> Message:
                return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}

            async def send(message: Message) -> None:
                sent.append(message)

            headers = [(b"authorization", b"Bearer " + KEY.encode())]
            await guard({"type": "http", "method": "POST", "path": CHAT, "headers": headers}, receive, send)
            return sent

        stream = asyncio.create_task(post({"stream": True}))
        plain = asyncio.create_task(post({}))
        for _ in (stream, plain):
            await asyncio.wait_for(begun.acquire(), SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(handled.wait(), SECONDS)  # vLLM's own handler still runs
        refused = await post({})
        assert refused[0]["status"] == 503 and (b"connection", b"close") in refused[0]["headers"]
        assert not stream.done() and not plain.done()
        server.should_exit = True
        chunks = await asyncio.wait_for(stream, SECONDS)
        assert b"shut down before" in chunks[-1]["body"] and not chunks[-1]["more_body"]
        assert (await asyncio.wait_for(plain, SECONDS))[0]["status"] == 503

    asyncio.run(go())


def test_health_fails_while_the_drain_file_exists_and_requests_go_on(
    inner: Inner, key_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    draining = tmp_path / "draining"
    monkeypatch.setenv(guard_module.DRAIN_FILE_VARIABLE, str(draining))
    guard = Guard(inner)
    assert ask(guard, "GET", "/health").status_code == 200
    draining.touch()
    assert ask(guard, "GET", "/health").status_code == 503
    assert ask(guard, "POST", CHAT, body={"messages": []}).status_code == 200
    draining.unlink()
    assert ask(guard, "GET", "/health").status_code == 200


@pytest.mark.parametrize(
    ("last", "stopping", "explained"),
    [
        (b'data: {"choices": []}\n\n', True, True),
        (b'data: {"choices": []}\n\n', False, False),
        (b"data: [DONE]\n\n", True, False),
        (b'event: response.completed\ndata: {"type": "response.completed"}\n\n', True, False),
        (b'event: message_stop\ndata: {"type": "message_stop"}\n\n', True, False),
    ],
)
def test_a_stream_that_a_stopping_server_breaks_off_ends_with_an_error(
    key_file: Path, last: bytes, stopping: bool, explained: bool
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        guard.stopping = stopping
        await send({"type": "http.response.body", "body": last, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    guard = Guard(app)
    answer = ask(guard, "POST", CHAT, body={"stream": True})
    assert answer.content.startswith(last) and ("shut down before" in answer.text) == explained
