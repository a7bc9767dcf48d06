"""The local server's client: what it waits for, and what it says when that does not come."""

import json
import threading
from collections.abc import Callable
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
    monkeypatch.setattr(client.time, "sleep", lambda seconds: None)


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
        self.wfile.write(json.dumps({"data": [{"id": "gemma"}]}).encode())

    def do_POST(self) -> None:
        self.send_response(200)
        self.end_headers()
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
        assert [*client.server().ask("Hello", 8)] == ["Hel"]
    finally:
        server.shutdown()
        server.server_close()
