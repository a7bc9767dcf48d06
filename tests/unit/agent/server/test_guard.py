"""The guard as an ASGI application around a small stand-in; the real server's turn is tests/vllm."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from agent.server import guard as guard_module
from agent.server import request_rules
from agent.server.guard import KEY_FILE_VARIABLE, Guard, Message, Receive, Scope, Send
from tests.unit.agent.stand_in import CHAT, KEY, Inner, ask


@pytest.fixture
def guard(inner: Inner, key_file: Path) -> Guard:
    return Guard(inner)


REFUSED = [
    (CHAT, {"seed": 1}, "seed"),
    (CHAT, {"seed": 0}, "seed"),
    (CHAT, {"seed": "7"}, "seed"),
    (CHAT, {"prompt_logprobs": 0}, "prompt_logprobs"),
    (CHAT, {"prompt_logprobs": 5}, "prompt_logprobs"),
    (CHAT, {"prompt_logprobs": False}, "prompt_logprobs"),
    (CHAT, {"echo": True}, "echo"),
    (CHAT, {"echo": 1}, "echo"),
    (CHAT, {"echo": "true"}, "echo"),
    (CHAT, {"allowed_token_ids": [1]}, "allowed_token_ids"),
    (CHAT, {"logprob_token_ids": [1]}, "logprob_token_ids"),
    (CHAT, {"logprobs": True}, "logprobs"),
    (CHAT, {"logprobs": True, "top_logprobs": 0}, "logprobs"),
    (CHAT, {"logprobs": True, "top_logprobs": "0"}, "logprobs"),
    (CHAT, {"logprobs": True, "top_logprobs": False}, "logprobs"),
    ("/v1/chat/completions/batch", {"messages": [[], []], "seed": 1}, "seed"),
    ("/v1/chat/completions/batch", {"messages": [[], []], "echo": True}, "echo"),
    ("/v1/completions", {"prompt": ["a", "b"], "seed": 1}, "seed"),
    ("/v1/completions", {"prompt_logprobs": 1}, "prompt_logprobs"),
    ("/v1/completions", {"echo": True, "logprobs": 1}, "echo"),
    ("/v1/completions", {"echo": True, "logprobs": 0}, "echo"),
    ("/v1/completions", {"logprobs": 0}, "logprobs"),
    ("/v1/completions", {"allowed_token_ids": [1]}, "allowed_token_ids"),
    ("/v1/responses", {"seed": 1}, "seed"),
    ("/v1/responses", {"include": ["message.output_text.logprobs"]}, "logprobs"),
    ("/v1/responses", {"include": 5}, "include"),
]

PASSED = [
    (CHAT, {"messages": []}),
    (
        CHAT,
        {"seed": None, "prompt_logprobs": None, "echo": False, "logprobs": False, "allowed_token_ids": None},
    ),
    (CHAT, {"logprobs": True, "top_logprobs": 1}),
    (CHAT, {"top_logprobs": 0}),
    (CHAT, {"metadata": {"seed": 1}, "messages": [{"role": "user", "content": '{"seed": 1}'}]}),
    ("/v1/completions", {"echo": True}),
    ("/v1/completions", {"logprobs": 3}),
    ("/v1/responses", {"include": ["message.output_text.logprobs"], "top_logprobs": 2}),
    ("/tokenize", {"prompt": "seed"}),
    (CHAT, ["seed"]),
    (CHAT, "seed"),
]


@pytest.mark.parametrize(("path", "body", "field"), REFUSED, ids=str)
def test_a_request_that_the_server_cannot_take_gets_a_sentence(
    guard: Guard, inner: Inner, path: str, body: Any, field: str
) -> None:
    answer = ask(guard, "POST", path, body=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, 400, field)
    assert "This server" in error["message"] and inner.bodies == []


@pytest.mark.parametrize(("path", "body"), PASSED, ids=str)
def test_everything_else_passes_unchanged(guard: Guard, inner: Inner, path: str, body: Any) -> None:
    assert ask(guard, "POST", path, body=body).status_code == 200
    assert inner.bodies == [json.dumps(body).encode()]


def test_a_constrained_request_is_refused_only_where_the_engine_drafts(
    guard: Guard, inner: Inner, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"messages": [], "response_format": {"type": "json_object"}}
    assert ask(guard, "POST", CHAT, body=body).status_code == 200
    monkeypatch.setenv(request_rules.DRAFTS_VARIABLE, "1")
    answer = ask(Guard(inner), "POST", CHAT, body=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "response_format")
    assert len(inner.bodies) == 1


@pytest.mark.parametrize(
    "content",
    [
        b'{"\\u0073eed": 1}',
        '{"seed": 1}'.encode("utf-16"),
        b'{"seed": null, "seed": 1}',
        b'\n {"x":{},"seed":1e0}',
    ],
    ids=["escaped", "utf-16", "twice", "spaced"],
)
def test_no_spelling_of_a_field_passes(guard: Guard, inner: Inner, content: bytes) -> None:
    assert ask(guard, "POST", CHAT, content=content).status_code == 400
    assert inner.bodies == []


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"seed": 1'], ids=str)
def test_what_is_not_json_is_answered_by_vllm(guard: Guard, inner: Inner, content: bytes) -> None:
    assert ask(guard, "POST", CHAT, content=content).text == "answered"
    assert inner.bodies == [content]


def test_json_nested_beyond_reason_is_refused(guard: Guard, inner: Inner) -> None:
    answer = ask(guard, "POST", CHAT, content=b"[" * 1_000_000)
    assert answer.status_code == 400 and "nested" in answer.text and inner.bodies == []


def test_a_body_over_the_limit_is_refused(
    guard: Guard, inner: Inner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard_module, "MAX_BODY_BYTES", 10)
    assert ask(guard, "POST", CHAT, content=b'"12345678"').status_code == 200
    answer = ask(guard, "POST", CHAT, content=b'"123456789"')
    assert answer.status_code == 413 and answer.headers["connection"] == "close" and len(inner.bodies) == 1


@pytest.mark.parametrize(("method", "path"), sorted(request_rules.OPEN))
def test_probes_and_metrics_need_no_key(guard: Guard, method: str, path: str) -> None:
    assert ask(guard, method, path, key=None).status_code == 200


@pytest.mark.parametrize(("method", "path"), sorted(request_rules.OFFERED - request_rules.OPEN))
@pytest.mark.parametrize("key", [None, "", "wrong", KEY + "x", KEY[:-1]])
def test_everything_else_needs_the_key(
    guard: Guard, inner: Inner, method: str, path: str, key: str | None
) -> None:
    answer = ask(guard, method, path, key=key, body={})
    assert answer.status_code == 401 and "Authorization: Bearer" in answer.json()["error"]["message"]
    assert answer.headers["www-authenticate"] == "Bearer" and inner.bodies == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/scale_elastic_ep"),
        ("POST", "/invocations"),
        ("POST", "/sleep"),
        ("POST", "/v1/load_lora_adapter"),
        ("POST", "/inference/v1/generate"),
        ("POST", "/v1/chat/completions/"),
        ("POST", "//v1/chat/completions"),
        ("GET", "/docs"),
        ("GET", "/metrics/"),
        ("PUT", CHAT),
        ("OPTIONS", CHAT),
    ],
)
def test_what_is_not_offered_is_refused_with_the_list(
    guard: Guard, inner: Inner, method: str, path: str
) -> None:
    answer = ask(guard, method, path)
    assert answer.status_code == 404 and "does not offer" in answer.text and inner.bodies == []
    assert ask(guard, method, path, key=None).status_code == 401


@pytest.mark.parametrize("content", [None, "", "\n \n"], ids=["missing", "empty", "blank"])
def test_without_a_key_the_server_is_closed_and_says_what_to_do(
    guard: Guard, key_file: Path, content: str | None
) -> None:
    key_file.unlink()
    if content is not None:
        key_file.write_text(content)
    for key in (None, "", KEY):
        answer = ask(guard, "POST", CHAT, key=key, body={})
        assert answer.status_code == 401
        assert "No API key is set" in answer.text and KEY_FILE_VARIABLE in answer.text
    assert ask(guard, "GET", "/health", key=None).status_code == 200


def test_a_key_works_from_the_moment_it_is_written_until_it_is_replaced(guard: Guard, key_file: Path) -> None:
    def works(key: str) -> bool:
        return ask(guard, "GET", "/v1/models", key=key).status_code == 200

    assert works(KEY) and not works("second")
    swapped = key_file.with_name("next")
    swapped.write_text(f"{KEY}\nsecond\n")
    swapped.replace(key_file)
    assert works(KEY) and works("second")
    swapped.write_text("second")
    swapped.replace(key_file)
    assert works("second") and not works(KEY)


def test_authentication_is_off_only_without_the_variable_and_that_is_said(
    inner: Inner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv(KEY_FILE_VARIABLE, raising=False)
    with caplog.at_level("WARNING"):
        guard = Guard(inner)
    assert "answers every client" in caplog.text
    assert ask(guard, "GET", "/v1/models", key=None).status_code == 200
    assert ask(guard, "POST", "/sleep", key=None).status_code == 404


def test_a_websocket_is_closed(guard: Guard) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    asyncio.run(guard({"type": "websocket", "path": "/v1/realtime"}, receive, send))
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_a_disconnect_reaches_the_application(key_file: Path) -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend([(await receive())["type"], (await receive())["type"]])

    messages = iter(
        [{"type": "http.request", "body": b"{}", "more_body": False}, {"type": "http.disconnect"}]
    )

    async def receive() -> Message:
        return next(messages)

    async def send(message: Message) -> None: ...

    scope = {
        "type": "http",
        "method": "POST",
        "path": CHAT,
        "headers": [(b"authorization", b"Bearer " + KEY.encode())],
    }
    asyncio.run(Guard(app)(scope, receive, send))
    assert seen == ["http.request", "http.disconnect"]
