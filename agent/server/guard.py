"""`--middleware agent.server.guard.Guard`: what may reach vLLM on TPU, and a clean end for all of it.

A pure ASGI class: it lets streams and disconnects through as they are. It
- asks for an API key (`TPUSERVE_API_KEY_FILE`), closed when there is none;
- offers a list of endpoints and refuses requests that end or break this server
  (`agent.server.request_rules`);
- once the server is told to stop, turns new requests away with 503 and, when vLLM gives up on requests in
  flight, ends them with an error. vLLM 0.32 alone answers new ones 500 and leaves open streams hanging until
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

from agent.server import request_rules
from agent.server.api_keys import KeyFile
from agent.server.error_responses import Answer, Message, Send, error

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

KEY_FILE_VARIABLE = "TPUSERVE_API_KEY_FILE"
DRAIN_FILE_VARIABLE = "TPUSERVE_DRAIN_FILE"
"""Names a file; while it exists, `/health` answers 503 and all else goes on. On a VM nothing but a failing
health check tells a load balancer to leave before the server stops; Kubernetes has endpoints for that."""
MAX_BODY_BYTES = 64 * 1024 * 1024
"""Four images of 12 MB in base64; a larger body is refused before it is held in memory."""
POLL_SECONDS = 0.25
"""How often a stopping server is asked whether its engine is gone."""

logger = logging.getLogger("vllm.tpuserve.guard")
"""Below vLLM's own logger, so that its level and format apply."""


class Guard:
    """The middleware; vLLM makes one for each API server process."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.stopping = False
        self.engine_gone = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None
        path = os.environ.get(KEY_FILE_VARIABLE)
        self.keys = KeyFile(Path(path)) if path else None
        drain_file = os.environ.get(DRAIN_FILE_VARIABLE)
        self.drain_file = Path(drain_file) if drain_file else None
        if self.keys is None:
            logger.warning("%s is not set: this server answers anyone who reaches it.", KEY_FILE_VARIABLE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] == "lifespan":
            self._follow_shutdown(scope)
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            # A websocket; vLLM 0.32 has one only for speech.
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"], scope["path"].removeprefix(scope.get("root_path", ""))
        if (method, path) == ("GET", "/metrics"):
            await self.app(scope, receive, send)
            return
        if self.stopping:
            await error(
                send, 503, "This server is shutting down; send the request again, another one takes it."
            )
            return
        if (method, path) == ("GET", "/health") and self.drain_file and self.drain_file.exists():
            await error(send, 503, "This server is about to stop; it still answers requests.")
            return
        if (method, path) not in request_rules.OPEN and not self._admitted(scope):
            await error(send, 401, self._how_to_get_in())
            return
        if (method, path) not in request_rules.OFFERED:
            offered = ", ".join(sorted(path for verb, path in request_rules.OFFERED if verb == method))
            await error(
                send, 404, f"This server does not offer {method} {path}. It offers: {offered or 'GET, POST'}."
            )
            return
        if method == "POST":
            await self._post(path, scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _admitted(self, scope: Scope) -> bool:
        if self.keys is None:
            return True
        for name, value in scope["headers"]:
            if name == b"authorization":
                scheme, _, key = value.partition(b" ")
                return scheme.lower() == b"bearer" and self.keys.admits(key.strip())
        return False

    def _how_to_get_in(self) -> str:
        if self.keys is not None and self.keys.empty():
            return (
                "No API key is set on this server, so it lets nobody in. The operator writes one to the file "
                f"named by {KEY_FILE_VARIABLE} (on Kubernetes: the API key Secret), without a restart."
            )
        return "This server wants its API key: send the header 'Authorization: Bearer KEY'."

    async def _post(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read(receive)
        if body is None:
            return
        if len(body) > MAX_BODY_BYTES:
            limit = f"{MAX_BODY_BYTES // 1024**2} MiB"
            await error(send, 413, f"The request is larger than {limit}; send smaller or fewer images.")
            return
        try:
            refused = request_rules.refusal(path, json.loads(body))
        except RecursionError:
            refused = request_rules.Refused("body", "The request's JSON is nested too deeply.")
        except ValueError:
            refused = None  # Not JSON: vLLM's own answer says what it wants.
        if refused is not None:
            await error(send, 400, refused.sentence, refused.field)
            return
        replay: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_again() -> Message:
            return replay.pop() if replay else await receive()

        await self._until_engine_gone(scope, receive_again, send)

    async def _until_engine_gone(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application; when the engine goes first, end the answer with an error."""
        answer = Answer(send, lambda: self.stopping)
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
        """Learn of SIGTERM from the signal itself and of the engine's end from vLLM's uvicorn server."""
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
        """Note the signal, and do what was done before: the event loop gets signals by a pipe of its own."""
        before = signal.getsignal(number)

        def handler(received: int, frame: FrameType | None) -> None:
            self.stopping = True
            if callable(before):
                before(received, frame)

        signal.signal(number, handler)


async def _read(receive: Receive) -> bytes | None:
    """The whole body, cut one byte after the limit; None when the client went away."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES or not message.get("more_body"):
            return bytes(body[: MAX_BODY_BYTES + 1])
