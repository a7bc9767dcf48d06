"""A stand-in for vLLM behind the guard, on a loopback port, that can have every fault of a server."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from agent.server import request_rules

KEY = "a-key-of-the-operator"
DONE = "[DONE]"
VOCABULARY = list(range(100, 150))


@dataclass
class Reply:
    """Answer to one request: JSON, or the events of a stream, or bytes as they are.

    A stream waits `delay` seconds before its first event and `pause` between events.
    """

    status: int = 200
    content: Any = None
    events: list[Any] = field(default_factory=list[Any])
    raw: bytes | None = None
    delay: float = 0.0
    pause: float = 0.0


Fault = Callable[[str, dict[str, Any], Reply], None]
"""Changes the reply to a request of this path and body."""


def no_fault(path: str, body: dict[str, Any], reply: Reply) -> None:
    del path, body, reply


class OpenAIServer(ThreadingHTTPServer):
    """Answers as vLLM does, and refuses what the guard refuses."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fault: Fault = no_fault
        self.drafts = False
        self.health = 200
        self.key: str | None = KEY
        self.lock = threading.Lock()
        self.requests: list[tuple[str, dict[str, Any]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def bodies(self, path: str) -> list[dict[str, Any]]:
        """Returns the bodies of all requests to a path."""
        return [body for asked, body in self.requests if asked == path]


def refused(status: int, message: str) -> Reply:
    return Reply(status, {"error": {"message": message, "type": "x", "code": status}})


def answer(path: str, body: dict[str, Any]) -> Reply:
    """Returns the reply of a server without faults."""
    if path == "/tokenize":
        return Reply(content={"count": len(VOCABULARY), "tokens": VOCABULARY})
    asked = body.get("max_completion_tokens", body.get("max_tokens"))
    exact = body.get("ignore_eos")
    usage = {
        "prompt_tokens": len(body["prompt"]) if path == "/v1/completions" else 20,
        "completion_tokens": asked if exact else 3,
    }
    finish = "length" if exact else "stop"
    if body.get("stream"):
        parts = [{"choices": [{"index": 0, "finish_reason": None}]} for _ in range(3)]
        last = [{"choices": [{"index": 0, "finish_reason": finish}]}, {"choices": [], "usage": usage}, DONE]
        return Reply(events=[*parts, *last])
    if path == "/v1/completions":
        choice = {"index": 0, "text": "sea", "finish_reason": finish}
    elif body.get("tool_choice") == "required":
        call = {"type": "function", "function": {"name": "set_lamp", "arguments": '{"color": "red"}'}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    else:
        form = body.get("response_format")
        text = json.dumps(form["json_schema"]["schema"]["enum"][0]) if form else "Paris is by the Seine."
        message = {"role": "assistant", "content": text, "tool_calls": []}
        choice = {"index": 0, "message": message, "finish_reason": finish}
    return Reply(content={"choices": [choice], "usage": usage})


class _Handler(BaseHTTPRequestHandler):
    server: OpenAIServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        self._send(Reply(self.server.health, raw=b""))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        key = self.headers.get("authorization", "").removeprefix("Bearer ")
        with self.server.lock:
            self.server.requests.append((self.path, body))
        rule = request_rules.refusal(self.path, body, self.server.drafts)
        if self.server.key is not None and key != self.server.key:
            reply = refused(401, "This server requires its API key.")
        elif rule is not None or self.path not in dict.fromkeys(path for _, path in request_rules.OFFERED):
            reply = refused(400, rule.sentence if rule else "not offered")
        else:
            reply = answer(self.path, body)
        self.server.fault(self.path, body, reply)
        time.sleep(reply.delay)
        self._send(reply)

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.end_headers()
        if reply.raw is not None:
            self.wfile.write(reply.raw)
        elif reply.events and reply.status == 200:
            for event in reply.events:
                text = event if isinstance(event, str) else json.dumps(event)
                self.wfile.write(f"data: {text}\n\n".encode())
                self.wfile.flush()
                time.sleep(reply.pause)
        else:
            self.wfile.write(json.dumps(reply.content).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing."""
