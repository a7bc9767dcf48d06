"""Request guard in front of vLLM: `--middleware agent.server.guard.Guard`.

A pure ASGI class, so streams and disconnects pass unchanged. The guard
- requires an API key where `TPUSERVE_API_KEY_FILE` is set, and admits nobody while that file has no key. The
  key is a bearer token, or in x-api-key, as Anthropic's SDK sends it;
- lets web pages call the server from the origins that the operator allows (`agent.server.cors`);
- offers a list of endpoints and refuses requests that would end or break this server or that it cannot honor
  (`agent.server.request_rules`, `agent.server.media`);
- gives every error a message and the form of its API (`agent.server.error_responses`);
- answers `/ready`: 200 when the server is healthy and has been accepted (`agent.server.readiness`);
- counts what it refuses, on vLLM's own `/metrics` (`agent.server.metrics`);
- refuses new requests with 503 after the signal to stop, and ends requests in flight with an error when vLLM
  drops them. Without the guard, vLLM 0.32 answers new requests with 500 and leaves open streams hanging until
  it is killed.
"""

import asyncio
import json
import logging
import os
import signal
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from types import FrameType
from typing import Any

from agent.server import cors, media, readiness, request_rules
from agent.server.api_keys import KeyFile
from agent.server.error_responses import Answer, Message, Send, error
from agent.server.metrics import DRAINING, REFUSALS, Reason

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

KEY_FILE_VARIABLE = "TPUSERVE_API_KEY_FILE"
DRAIN_FILE_VARIABLE = "TPUSERVE_DRAIN_FILE"
"""Path of a file. While it exists, `/health` and `/ready` answer 503 and every other endpoint works. On a VM,
a failing health check is the only way to take a server out of its load balancer; Kubernetes has endpoints for
that."""
MAX_BODY_BYTES = 64 * 1024 * 1024
"""Size of four images of 12 MB in base64. A larger body is refused before all of it is in memory."""
POLL_SECONDS = 0.25
"""Seconds between two looks at vLLM's exit flag."""

logger = logging.getLogger("vllm.tpuserve.guard")
"""A child of vLLM's logger, so that its level and format apply."""


def connect_to_public_addresses_only() -> None:
    """Keep vLLM's client for media to public addresses; only a server that fetches media needs it."""
    from agent.server import media_connection

    media_connection.connect_to_public_addresses_only()


class Guard:
    """ASGI middleware; vLLM makes one in each API server process."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.stopping = False
        self.engine_gone = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None
        path = os.environ.get(KEY_FILE_VARIABLE)
        self.keys = KeyFile(Path(path)) if path else None
        drain_file = os.environ.get(DRAIN_FILE_VARIABLE)
        self.drain_file = Path(drain_file) if drain_file else None
        self.readiness = readiness.from_environment()
        self.origins = cors.origins()
        self.drafts = request_rules.engine_drafts()
        self.media_domains = media.domains()
        if self.media_domains:
            connect_to_public_addresses_only()
        if self.keys is None:
            logger.warning("%s is not set: this server answers every client.", KEY_FILE_VARIABLE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Be the ASGI application."""
        if scope["type"] == "lifespan":
            self._follow_shutdown(scope)
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            browser = cors.Cors(self.origins, scope["headers"])
            if browser.is_preflight(scope["method"]):
                await browser.preflight(send)
            else:
                await self._http(scope, receive, browser.around(send))
        else:
            # A websocket; vLLM 0.32 has one only for speech.
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"], scope["path"].removeprefix(scope.get("root_path", ""))
        draining = self.drain_file is not None and self.drain_file.exists()
        if (method, path) == ("GET", "/metrics"):
            DRAINING.set(draining or self.stopping)
            await self.app(scope, receive, send)
            return
        if self.stopping:
            sentence = "This server is shutting down; retry: another server will handle the request."
            await refuse(send, path, 503, sentence, "stopping")
            return
        if method == "GET" and path in ("/health", "/ready") and draining:
            await error(send, path, 503, "This server is about to stop. It still answers requests.")
            return
        if (method, path) == ("GET", "/ready"):
            await self._ready(scope, receive, send)
            return
        if (method, path) not in request_rules.OPEN and not self._admitted(scope):
            await refuse(send, path, 401, self._key_sentence(), "api_key")
            return
        if (method, path) not in request_rules.OFFERED:
            offered = ", ".join(sorted(path for verb, path in request_rules.OFFERED if verb == method))
            sentence = f"This server does not offer {method} {path}. It offers: {offered or 'GET, POST'}."
            await refuse(send, path, 404, sentence, "endpoint")
            return
        if method == "POST":
            await self._post(path, scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _ready(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as vLLM's /health does, after acceptance. Its 503 is empty, so it gets a message."""
        objection = self.readiness.objection()
        if objection is not None:
            await error(send, "/ready", 503, objection)
            return
        health = {**scope, "path": scope.get("root_path", "") + "/health"}
        await self.app(health, receive, Answer(send, "/ready", lambda: self.stopping).send)

    def _admitted(self, scope: Scope) -> bool:
        if self.keys is None:
            return True
        for name, value in scope["headers"]:
            scheme, _, key = value.partition(b" ")
            if name == b"authorization" and scheme.lower() == b"bearer" and self.keys.admits(key.strip()):
                return True
            if name == b"x-api-key" and self.keys.admits(value.strip()):
                return True
        return False

    def _key_sentence(self) -> str:
        if self.keys is not None and self.keys.empty():
            return (
                "No API key is set on this server, so it admits nobody. The operator writes one to the file "
                f"named by {KEY_FILE_VARIABLE} (on Kubernetes: the API key Secret), without a restart."
            )
        return (
            "This server requires its API key: 'Authorization: Bearer KEY' or 'x-api-key: KEY' as a header."
        )

    async def _post(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read(receive)
        if body is None:
            return
        if len(body) > MAX_BODY_BYTES:
            limit = f"{MAX_BODY_BYTES // 1024**2} MiB"
            sentence = f"The request is larger than {limit}; send smaller or fewer images."
            await refuse(send, path, 413, sentence, "body_size")
            return
        reason: Reason = "request"
        try:
            content = json.loads(body)
            refused = request_rules.refusal(path, content, self.drafts)
            if refused is None:
                reason, refused = "media", await media.refusal(content, self.media_domains)
        except RecursionError:
            refused = request_rules.Refused("body", "The request's JSON is nested too deeply.")
        except ValueError:
            refused = None  # The body is not JSON, and vLLM's answer says so.
        if refused is not None:
            await refuse(send, path, 400, refused.sentence, reason, refused.field)
            return
        replay: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_again() -> Message:
            return replay.pop() if replay else await receive()

        await self._until_engine_gone(scope, receive_again, Answer(send, path, lambda: self.stopping))

    async def _until_engine_gone(self, scope: Scope, receive: Receive, answer: Answer) -> None:
        """Run the application. When the engine ends first, end the answer with an error."""
        work = asyncio.ensure_future(self.app(scope, receive, answer.send))
        gone = asyncio.ensure_future(self.engine_gone.wait())
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if work.done() and not work.cancelled():
                work.result()
                return
        finally:
            gone.cancel()
            work.cancel()
        await asyncio.wait({work})
        await answer.cut_off()

    def _follow_shutdown(self, scope: Scope) -> None:
        """Watch for SIGTERM, and for the end of the engine by the flag of vLLM's uvicorn server."""
        server = getattr(scope["app"].state, "server", None)
        if server is None:
            logger.error(
                "agent.server.guard was written for vLLM 0.32: app.state.server is missing; no clean drain."
            )
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            self._also_on(number)

        async def watch() -> None:
            while not server.should_exit:
                await asyncio.sleep(POLL_SECONDS)
            self.stopping = True
            self.engine_gone.set()

        self._watch = asyncio.get_running_loop().create_task(watch())

    def _also_on(self, number: signal.Signals) -> None:
        """Note the signal and call the previous handler. The event loop gets signals by a separate pipe."""
        before = signal.getsignal(number)

        def handler(received: int, frame: FrameType | None) -> None:
            self.stopping = True
            if callable(before):
                before(received, frame)

        signal.signal(number, handler)


async def refuse(
    send: Send, path: str, status: int, sentence: str, reason: Reason, field: str | None = None
) -> None:
    """Answer with an error instead of the application, and count it."""
    REFUSALS.labels(reason).inc()
    await error(send, path, status, sentence, field)


async def _read(receive: Receive) -> bytes | None:
    """Return the body, cut one byte after the limit; None when the client disconnected."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES or not message.get("more_body"):
            return bytes(body[: MAX_BODY_BYTES + 1])
