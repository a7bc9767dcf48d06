"""Messages of the client of a server when an answer is missing or cut off."""

import contextlib
import json
from collections.abc import Iterator

import httpx
import pytest

from tools.support import chat
from tools.support.errors import Refusal

SERVER = chat.Server("staging", "http://server", "canary")
BEGINNING = {"choices": [{"delta": {"content": "Hel"}}]}


def streams(monkeypatch: pytest.MonkeyPatch, *events: object, status: int = 200) -> None:
    """Have the server answer with these events."""
    text = "".join(f"data: {json.dumps(event)}\n\n" for event in events)

    @contextlib.contextmanager
    def stream(*_: object, **__: object) -> Iterator[httpx.Response]:
        yield httpx.Response(status, text=text)

    monkeypatch.setattr(httpx, "stream", stream)
    models = httpx.Response(200, json={"data": [{"id": "gemma"}]})
    monkeypatch.setattr(httpx, "get", lambda *_, **__: models)


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (
            {"error": {"message": "The engine has died.", "code": 500}},
            r"^The server broke off the answer: The engine has died\. `make logs STACK=staging` shows more; "
            r"then ask again\.$",
        ),
        (
            {"error": "no more"},
            r"^The server broke off the answer: data: \{\"error\": \"no more\"\}\. `make logs",
        ),
    ],
)
def test_an_error_in_the_stream_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, event: object, sentence: str
) -> None:
    streams(monkeypatch, BEGINNING, event)
    said: list[str] = []
    with pytest.raises(Refusal, match=sentence):
        said.extend(SERVER.ask("Hello", 8))
    assert said == ["Hel"]


def test_a_whole_answer_is_handed_out_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    streams(monkeypatch, BEGINNING, {"choices": [{"delta": {"content": "lo"}}]}, {"choices": []})
    assert [*SERVER.ask("Hello", 8)] == ["Hel", "lo"]


def test_a_refused_request_has_the_servers_message(monkeypatch: pytest.MonkeyPatch) -> None:
    streams(monkeypatch, status=400)
    with pytest.raises(Refusal, match=r"^The server answered 400: nothing$"):
        list(SERVER.ask("Hello", 8))


@pytest.mark.parametrize("method", ["get", "stream"])
def test_a_server_that_does_not_answer_is_diagnosed(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    def refuse(*_: object, **__: object) -> httpx.Response:
        raise httpx.ConnectError("refused")

    streams(monkeypatch)
    monkeypatch.setattr(httpx, method, refuse)
    with pytest.raises(chat.Unreachable) as refused:
        list(SERVER.ask("Hello", 8))
    assert str(refused.value) == "The server does not answer: run `make why STACK=staging`, which says why."
