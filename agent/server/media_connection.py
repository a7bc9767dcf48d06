"""vLLM's client for media, kept to public addresses; imports vLLM and aiohttp, which only the server has.

The guard resolves the host of a URL before vLLM does, and the name may have another address by then. So the
client checks the addresses that it connects to. TLS does the rest: a host without a certificate for the
listed name gets no request.
"""

# pyright: basic
# The libraries of the server's image are not installed for the type checker.

import socket
from typing import Any

import aiohttp  # pyright: ignore[reportMissingImports]
from aiohttp.resolver import ThreadedResolver  # pyright: ignore[reportMissingImports]
from vllm import connections  # pyright: ignore[reportMissingImports]

from agent.server.public_addresses import is_public


class PublicResolver(ThreadedResolver):
    """The system's resolver, which raises OSError for a host with an address that is not public."""

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> list[Any]:
        """Return the addresses of a host for aiohttp's connector."""
        results = await super().resolve(host, port, family)
        if not results or not all(is_public(result["host"]) for result in results):
            raise OSError(None, f"{host} has an address that is not public")
        return results


def connect_to_public_addresses_only() -> None:
    """Replace the client of this process (vLLM 0.32: `HTTPConnection.get_async_client`).

    vLLM's own client also honors proxy variables. This one does not, because a proxy would resolve the name.
    """
    sessions: list[Any] = []

    async def client() -> Any:
        if not sessions:
            connector = aiohttp.TCPConnector(resolver=PublicResolver())
            sessions.append(aiohttp.ClientSession(connector=connector))
        return sessions[0]

    connection = connections.global_http_connection
    if not hasattr(connection, "get_async_client"):
        raise RuntimeError(
            "agent.server.media_connection was written for vLLM 0.32, which fetches differently."
        )
    connection.get_async_client = client
