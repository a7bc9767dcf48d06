"""Messages of the local server's client when an answer is missing or cut off."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from local.commands import client
from tools.support.progress import Refusal

BEGINNING = {"choices": [{"delta": {"content": "Hel"}}]}


@pytest.fixture(autouse=True)
def server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Service and a key, so that only HTTP is left to go wrong."""
    monkeypatch.setattr(client, "endpoint", lambda: "http://server")
    monkeypatch.setattr(client, "key", lambda: "canary")
    monkeypatch.setattr(client, "model_name", lambda: "gemma")
    monkeypatch.setattr(client.time, "sleep", lambda seconds: None)


def streams(monkeypatch: pytest.MonkeyPatch, *events: object, status: int = 200) -> None:
    """Have the server answer with these events."""
    text = "".join(f"data: {json.dumps(event)}\n\n" for event in events)

    @contextlib.contextmanager
    def stream(*_: object, **__: object) -> Iterator[httpx.Response]:
        yield httpx.Response(status, text=text)

    monkeypatch.setattr(httpx, "stream", stream)


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (
            {"error": {"message": "The engine has died.", "code": 500}},
            r"^The server broke off the answer: The engine has died\. `make logs` shows more; then ask "
            r"again\.$",
        ),
        (
            {"error": "no more"},
            r"^The server broke off the answer: data: \{\"error\": \"no more\"\}\. `make logs`",
        ),
    ],
)
def test_an_error_in_the_stream_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, event: object, sentence: str
) -> None:
    streams(monkeypatch, BEGINNING, event)
    said: list[str] = []
    with pytest.raises(Refusal, match=sentence):
        said.extend(client.ask("Hello", 8))
    assert said == ["Hel"]


def test_a_whole_answer_is_handed_out_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    streams(monkeypatch, BEGINNING, {"choices": [{"delta": {"content": "lo"}}]}, {"choices": []})
    assert [*client.ask("Hello", 8)] == ["Hel", "lo"]


def answers(monkeypatch: pytest.MonkeyPatch, *each: int | Exception) -> list[str]:
    """Have the server give these answers, the last of them again and again; the requests that were made."""
    left, asked = list(each), list[str]()

    def get(url: str, **_: Any) -> httpx.Response:
        asked.append(url)
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer)

    monkeypatch.setattr(httpx, "get", get)
    return asked


def test_waiting_for_the_key_outlasts_a_server_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answers(monkeypatch, 401, httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), 200)
    client.wait_for_key()
    assert len(asked) == 4


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (401, r"^The server still rejects the API key: .*`make key`"),
        (httpx.ConnectError("refused"), r"^The server has stopped answering: read `make logs` .*`make up`"),
    ],
)
def test_waiting_for_the_key_ends(
    monkeypatch: pytest.MonkeyPatch, answer: int | Exception, sentence: str
) -> None:
    answers(monkeypatch, answer)
    clock: Callable[[], float] = iter(range(0, 10_000, 50)).__next__
    monkeypatch.setattr(client.time, "monotonic", clock)
    with pytest.raises(Refusal, match=sentence):
        client.wait_for_key()


class Answers(BaseHTTPRequestHandler):
    """Answers every GET, and one word to every POST."""

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_POST(self) -> None:
        self.do_GET()
        self.wfile.write(f"data: {json.dumps(BEGINNING)}\n\n".encode())


def test_no_proxy_stands_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a proxy for everything that nobody runs: who would ask it gets no answer."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, args=(0.005,), daemon=True).start()
    monkeypatch.setattr(client, "endpoint", lambda: f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(client, "BOOT_SECONDS", 60.0)
    monkeypatch.setattr(client, "KEY_PROPAGATION_SECONDS", 60.0)
    try:
        client.wait_until_serving()
        client.wait_for_key()
        assert [*client.ask("Hello", 8)] == ["Hel"]
    finally:
        server.shutdown()
        server.server_close()
