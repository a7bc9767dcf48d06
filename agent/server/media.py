"""Images, video and audio of a request: sent along as `data:` URLs, or fetched from domains that the operator
lists.

vLLM fetches any http(s) URL from where it runs, loopback, the metadata server and the cluster's API server
included, and it waits minutes where the network drops the packets. Three checks keep it to public hosts:
this module refuses every other URL before vLLM sees it, vLLM's --allowed-media-domains refuses other hosts,
and `agent.server.media_connection` checks each address at the moment of the connection.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from agent.server.public_addresses import is_public
from agent.server.request_fields import is_array, is_object
from agent.server.request_rules import Refused

VARIABLE = "TPUSERVE_ALLOWED_MEDIA_DOMAINS"
"""Host names with commas between them: the value of vLLM's --allowed-media-domains."""

RESOLVE_SECONDS = 5
URL_CHARACTERS = 80
"""Characters of a URL that an answer repeats."""

URL_KEYS = ("image_url", "video_url", "audio_url", "file_url")
"""Keys of a content part in chat and responses; the value is a URL or an object with `url`."""

Resolve = Callable[[str], Awaitable[list[str]]]


def domains() -> frozenset[str]:
    """Return the host names from which media may be fetched; empty when the operator lists none."""
    names = os.environ.get(VARIABLE, "").split(",")
    return frozenset(name.strip().lower() for name in names if name.strip())


def _parts(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every content part of the conversation, at any depth of lists and tool results."""
    rest: list[Any] = [body.get(key) for key in ("messages", "input", "system")]
    while rest:
        node = rest.pop()
        if is_array(node):
            rest.extend(node)
        elif is_object(node):
            yield node
            rest.extend((node.get("content"), node.get("output")))


def _urls(part: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key in URL_KEYS:
        value = part.get(key)
        if value is not None:
            yield key, value.get("url") if is_object(value) else value
    source = part.get("source")
    if is_object(source) and source.get("type") == "url":
        yield "source", source.get("url")


def _detail(part: dict[str, Any]) -> Any:
    image = part.get("image_url")
    return image.get("detail") if is_object(image) else part.get("detail")


def _https_host(url: str) -> str:
    """Return the host of an https URL; empty for a URL that another parser could read differently."""
    try:
        split = urlsplit(url)
        plain = split.scheme == "https" and split.port in (None, 443)
    except ValueError:
        return ""
    odd = "\\" in url or "@" in split.netloc or any(character <= " " for character in url)
    return (split.hostname or "").lower() if plain and not odd else ""


async def resolve(host: str) -> list[str]:
    """Return all addresses of a host. Raises OSError when it has none."""
    entries = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return sorted({str(entry[4][0]) for entry in entries})


async def refusal(body: Any, allowed: frozenset[str], resolver: Resolve = resolve) -> Refused | None:
    """Return the first medium of a request that must not be fetched or cannot be honored."""
    if not is_object(body):
        return None
    for part in _parts(body):
        if _detail(part) not in (None, "auto"):
            return Refused(
                "detail",
                "This server shows every image with the same number of tokens, so it cannot honor 'detail'. "
                'Leave it out or set it to "auto".',
            )
        for key, url in _urls(part):
            sentence = await _why_not(url, allowed, resolver) if isinstance(url, str) else None
            if sentence is not None:
                return Refused(key, sentence)
    return None


async def _why_not(url: str, allowed: frozenset[str], resolver: Resolve) -> str | None:
    if url[:5].lower() == "data:":  # vLLM's own test.
        return None
    shown = url[:URL_CHARACTERS]
    if not allowed:
        return f"This server does not fetch '{shown}'; send it as a data: URL (data:image/png;base64,...)."
    host = _https_host(url)
    if host not in allowed:
        return (
            f"This server does not fetch '{shown}'; send it as a data: URL, or by https (port 443) from "
            f"{', '.join(sorted(allowed))}."
        )
    try:
        addresses = await asyncio.wait_for(resolver(host), RESOLVE_SECONDS)
    except (OSError, TimeoutError):
        return f"This server cannot resolve '{host}'; send the file as a data: URL."
    if not addresses or not all(is_public(address) for address in addresses):
        return (
            f"This server does not fetch from '{host}', because the name has an address that is not public; "
            "send the file as a data: URL."
        )
    return None
