"""The guard around a stand-in for vLLM's application."""

import asyncio
import json
from typing import Any

import httpx

from agent.server.guard import Guard, Message, Receive, Scope, Send

KEY = "a-key-of-the-operator"
CHAT = "/v1/chat/completions"


class Inner:
    """Records each request and answers as the test has set it."""

    status = 200
    chunks: tuple[bytes, ...] = (b"answered",)

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.bodies: list[bytes] = []
        self.after_body: list[Message] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        for chunk in self.chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def ask(
    app: Guard,
    method: str,
    path: str,
    *,
    key: str | None = KEY,
    content: bytes | None = None,
    body: Any = None,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    async def go() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)  # pyright: ignore[reportArgumentType]
        sent = {"authorization": f"Bearer {key}"} if key is not None else {}
        data = content if content is not None else json.dumps(body).encode() if body is not None else None
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return await client.request(method, path, headers={**sent, **(headers or {})}, content=data)

    return asyncio.run(go())
