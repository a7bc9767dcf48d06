"""No error without a message, in the form of the API that was called, and no answer held back otherwise."""

import asyncio
import json
from typing import Any

import pytest

from agent.server import error_responses
from agent.server.error_responses import Answer, Message
from agent.server.guard import Guard
from tests.unit.agent.stand_in import CHAT, Inner, ask

MESSAGES = "/v1/messages"
JSON = [(b"content-type", b"application/json")]
FILLED = "failed without a message (HTTP 500)"


def vllm(message: Any, kind: str = "BadRequestError") -> bytes:
    return json.dumps({"error": {"message": message, "type": kind, "param": "p", "code": 400}}).encode()


EMPTY = [
    vllm(""),
    vllm(None),
    b"",
    b"{}",
    b'{"detail": ""}',
    b'{"error": ""}',
    b'{"error": {}}',
    b"null",
    b"[]",
    b'""',
]


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize("body", EMPTY, ids=str)
def test_an_error_without_a_message_gets_one(path: str, body: bytes) -> None:
    error = json.loads(error_responses.complete(path, 500, body))
    assert FILLED in error["error"]["message"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (vllm("The prompt is too long"), "The prompt is too long"),
        (b'{"error": "Unauthorized"}', "Unauthorized"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b'{"detail": [{"loc": ["a"]}]}', '[{"loc": ["a"]}]'),
        (b"Internal Server Error", "Internal Server Error"),
        (b'{"type": "error", "error": {"type": "BadRequestError", "message": "m"}}', "m"),
        (b"\xff", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_a_message_stays_whatever_its_form(body: bytes, message: str) -> None:
    assert json.loads(error_responses.complete(CHAT, 400, body))["error"]["message"] == message
    anthropic = json.loads(error_responses.complete(MESSAGES, 400, body))
    assert anthropic == {"type": "error", "error": {"type": "invalid_request_error", "message": message}}


def test_a_whole_error_of_openai_is_not_touched() -> None:
    body = vllm("no", "Something") + b" "
    assert error_responses.complete(CHAT, 400, body) is body


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (503, "overloaded_error"),
        (504, "api_error"),
    ],
)
def test_errors_of_the_messages_api_have_its_kinds(status: int, kind: str) -> None:
    body = json.loads(error_responses.complete(MESSAGES, status, vllm("no")))
    assert body["error"] == {"type": kind, "message": "no"}


@pytest.mark.parametrize("chunks", [(vllm(""),), (vllm("")[:20], vllm("")[20:])])
def test_an_error_of_the_application_is_completed(
    chunks: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = Inner()
    inner.status, inner.headers, inner.chunks = 500, [*JSON, (b"content-length", b"90"), (b"x", b"y")], chunks
    answer = ask(Guard(inner), "POST", CHAT, body={})
    assert answer.status_code == 500 and FILLED in answer.json()["error"]["message"]
    assert answer.headers["x"] == "y" and int(answer.headers["content-length"]) == len(answer.content)


@pytest.mark.parametrize(
    ("method", "path", "key", "status", "kind"),
    [
        ("POST", MESSAGES, "wrong", 401, "authentication_error"),
        ("POST", MESSAGES, "right", 400, "invalid_request_error"),
        ("GET", MESSAGES, "right", 404, "not_found_error"),
        ("POST", "/v1/messages/batches", "right", 404, "not_found_error"),
        ("POST", "/v1/messages/count_tokens", "right", 400, "invalid_request_error"),
    ],
)
def test_the_guards_own_errors_have_the_form_of_the_messages_api(
    method: str, path: str, key: str, status: int, kind: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("right")
    monkeypatch.setenv("TPUSERVE_API_KEY_FILE", str(tmp_path / "key"))
    answer = ask(Guard(Inner()), method, path, key=None, body={"seed": 1}, headers={"x-api-key": key})
    assert answer.status_code == status and answer.json()["type"] == "error"
    assert answer.json()["error"]["type"] == kind and answer.json()["error"]["message"]


def sent(path: str, messages: list[Message], stopping: bool = False) -> list[Message]:
    out: list[Message] = []

    async def send(message: Message) -> None:
        out.append(message)

    async def go() -> None:
        answer = Answer(send, path, lambda: stopping)
        for message in messages:
            await answer.send(message)

    asyncio.run(go())
    return out


def stream(*chunks: bytes) -> list[Message]:
    headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
    start = {"type": "http.response.start", "status": 200, "headers": headers}
    return [start, *({"type": "http.response.body", "body": chunk, "more_body": True} for chunk in chunks)]


def test_a_stream_passes_chunk_by_chunk_and_unchanged() -> None:
    chunks = [
        b'data: {"choices": [{"delta": {"content": "\\"message\\": \\"\\" error"}}]}\n\n',
        b"data: [DONE]\n\n",
    ]
    assert sent(CHAT, stream(*chunks)) == stream(*chunks)


def test_an_error_event_without_a_message_gets_one() -> None:
    out = sent(CHAT, stream(b"data: " + vllm("") + b"\n\n"))
    event = json.loads(out[1]["body"].removeprefix(b"data: "))
    assert FILLED in event["error"]["message"] and event["error"]["param"] == "p"


@pytest.mark.parametrize(("status", "seconds"), [(503, [b"1"]), (500, []), (400, [])])
@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_a_full_queue_says_when_to_come_back(path: str, status: int, seconds: list[bytes]) -> None:
    start = {"type": "http.response.start", "status": status, "headers": JSON}
    answer = sent(path, [start, {"type": "http.response.body", "body": vllm("busy", "ServiceUnavailable")}])
    assert [value for name, value in answer[0]["headers"] if name == b"retry-after"] == seconds


def test_an_error_beyond_all_measure_is_passed_on() -> None:
    start = {"type": "http.response.start", "status": 400, "headers": JSON}
    chunk = {"type": "http.response.body", "body": b"x" * 700_000, "more_body": True}
    end = {"type": "http.response.body", "body": b"", "more_body": False}
    out = sent(CHAT, [start, chunk, chunk, end])
    assert [message["type"] for message in out] == ["http.response.start", *["http.response.body"] * 2]
    assert sum(len(message.get("body", b"")) for message in out) == 1_400_000


def test_a_stream_that_is_cut_off_ends_in_the_form_of_its_api() -> None:
    end: Message = {"type": "http.response.body", "body": b"", "more_body": False}
    last = sent(MESSAGES, [*stream(b"event: message_start\ndata: {}\n\n"), end], stopping=True)[-1]["body"]
    name, _, data = last.partition(b"\n")
    assert name == b"event: error"
    assert json.loads(data.removeprefix(b"data: "))["error"]["type"] == "overloaded_error"
