"""Media that a request may ask the server to fetch."""

import asyncio
import ipaddress
from typing import Any

import pytest

from agent.server import media, public_addresses
from agent.server.guard import Guard
from components.kubernetes import egress_rules
from tests.unit.agent.stand_in import CHAT, Inner, ask

PUBLIC = "93.184.215.14"
LISTED = frozenset({"images.example.com", "inside.example.com"})
DATA = "data:image/png;base64,AAAA"


async def resolver(host: str) -> list[str]:
    if host == "gone.example.com":
        raise OSError("no such host")
    return [PUBLIC]


def refusal(body: Any, allowed: frozenset[str] = frozenset(), resolve: media.Resolve = resolver) -> Any:
    return asyncio.run(media.refusal(body, allowed, resolve))


def chat(part: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "Look"}, part]}]}


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


SOURCE = {"type": "image", "source": {"type": "url", "url": "http://10.0.0.1/a.png"}}
FETCHED = [
    chat(image("http://127.0.0.1:9/a.png")),
    chat(image("https://10.96.0.1/api")),
    chat(image("HTTPS://example.com/a.png")),
    chat(image(" data:image/png;base64,AAAA")),
    chat(image("file:///etc/passwd")),
    chat(image("gs://bucket/a.png")),
    chat(image("")),
    chat({"image_url": "http://169.254.169.254/computeMetadata/v1/"}),
    chat({"type": "image_url", "image_url": "http://x/", "uuid": "u"}),
    chat({"type": "video_url", "video_url": {"url": "http://x/"}}),
    chat({"type": "audio_url", "audio_url": {"url": "http://x/"}}),
    {"messages": [[{"role": "user", "content": [image("http://x/")]}]]},
    {"messages": [{"role": "tool", "content": [image("http://x/")]}]},
    {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "http://x/"}]}]},
    {
        "input": [
            {"type": "function_call_output", "output": [{"type": "input_image", "image_url": "http://x/"}]}
        ]
    },
    {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "http://x/"}]}]},
    {"messages": [{"role": "user", "content": [SOURCE]}]},
    {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": [SOURCE]}]}]},
    {"system": [SOURCE]},
]


@pytest.mark.parametrize("body", FETCHED, ids=str)
def test_without_a_list_nothing_is_fetched(body: dict[str, Any]) -> None:
    refused = refusal(body)
    assert refused is not None and "send it as a data: URL" in refused.sentence
    refused = refusal(body, LISTED)
    assert refused is not None and "images.example.com, inside.example.com" in refused.sentence


SENT = [
    chat(image(DATA)),
    chat(image("DATA:image/png;base64,AAAA")),
    chat({"type": "image_url", "image_url": {"url": DATA, "detail": "auto"}}),
    chat({"type": "image_url", "image_url": None, "uuid": "u"}),
    chat({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}),
    {"messages": [{"role": "user", "content": "see http://169.254.169.254/"}]},
    {
        "messages": [
            {"role": "user", "content": [{"type": "image", "source": {"type": "base64", "data": "A"}}]}
        ]
    },
    {
        "messages": [
            {"role": "assistant", "content": [{"type": "tool_use", "input": {"image_url": "http://x/"}}]}
        ]
    },
    {"tools": [{"image_url": "http://x/"}], "messages": "text"},
    {"messages": [None, 3, [[]], {"content": {"image_url": 3}}]},
    [image("http://x/")],
    "text",
]


@pytest.mark.parametrize("body", SENT, ids=str)
def test_what_is_sent_along_passes(body: Any) -> None:
    assert refusal(body) is None


@pytest.mark.parametrize("detail", ["low", "high", "original", 3])
def test_a_detail_that_has_no_effect_is_refused(detail: Any) -> None:
    for part in (
        {"type": "image_url", "image_url": {"url": DATA, "detail": detail}},
        {"type": "input_image", "image_url": DATA, "detail": detail},
    ):
        assert refusal(chat(part)).field == "detail"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://images.example.com/a.png", None),
        ("https://IMAGES.example.com:443/a.png?b=c", None),
        ("http://images.example.com/a.png", "by https (port 443) from"),
        ("https://images.example.com:8443/a.png", "by https (port 443) from"),
        ("https://images.example.com:x/a.png", "by https (port 443) from"),
        ("https://other.example.com/a.png", "by https (port 443) from"),
        ("https://images.example.com.evil.example/a.png", "by https (port 443) from"),
        ("https://images.example.com@169.254.169.254/", "by https (port 443) from"),
        ("https://169.254.169.254\\@images.example.com/", "by https (port 443) from"),
        ("https://images.example.com\\.evil.example/", "by https (port 443) from"),
        ("https://user:word@images.example.com/", "by https (port 443) from"),
        ("https://images.example.com/a b", "by https (port 443) from"),
        ("https://[::1/", "by https (port 443) from"),
    ],
)
def test_a_listed_host_is_fetched_from_by_https_only(url: str, words: str | None) -> None:
    refused = refusal(chat(image(url)), LISTED)
    assert (refused is None) if words is None else (words in refused.sentence)


INSIDE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.96.0.1",
    "172.16.3.4",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "169.254.20.10",
    "34.118.224.1",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1%eth0",
    "fd00::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", INSIDE)
def test_a_listed_name_that_leads_inside_is_refused(address: str) -> None:
    async def inside(host: str) -> list[str]:
        return [PUBLIC, address]

    refused = refusal(chat(image("https://inside.example.com/a.png")), LISTED, inside)
    assert "an address that is not public" in refused.sentence


def test_the_address_of_the_clusters_api_server_is_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    assert public_addresses.is_public(PUBLIC)
    monkeypatch.setenv(public_addresses.API_SERVER_VARIABLE, PUBLIC)
    assert not public_addresses.is_public(PUBLIC)


@pytest.mark.parametrize("address", INSIDE)
def test_the_network_policy_excludes_it_too(address: str) -> None:
    """Of IPv4; the policy allows no IPv6 at all."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    excluded = [ipaddress.ip_network(block) for block in egress_rules.NOT_PUBLIC]
    assert (
        ip.version == 6 or ip in ipaddress.ip_network("0.0.0.0/32") or any(ip in block for block in excluded)
    )
    assert not any(ipaddress.ip_address(PUBLIC) in block for block in excluded)


def test_public_addresses_are_public() -> None:
    assert all(public_addresses.is_public(address) for address in (PUBLIC, "8.8.8.8", "2606:4700:4700::1111"))


def test_a_name_without_an_address_and_a_slow_resolver_get_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed = frozenset({"gone.example.com"})
    assert "cannot resolve" in refusal(chat(image("https://gone.example.com/")), listed).sentence
    monkeypatch.setattr(media, "RESOLVE_SECONDS", 0.01)

    async def slow(host: str) -> list[str]:
        await asyncio.sleep(10)
        return [PUBLIC]

    assert "cannot resolve" in refusal(chat(image("https://gone.example.com/")), listed, slow).sentence


def test_the_systems_resolver_knows_loopback() -> None:
    assert not any(public_addresses.is_public(address) for address in asyncio.run(media.resolve("localhost")))


def test_the_guard_refuses_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(media.VARIABLE, " localhost ,images.example.com")
    monkeypatch.setattr("agent.server.guard.connect_to_public_addresses_only", lambda: None)
    inner = Inner()
    guard = Guard(inner)
    answer = ask(guard, "POST", CHAT, body=chat(image("https://localhost/")))
    assert answer.status_code == 400 and "not public" in answer.text and inner.bodies == []
    answer = ask(guard, "POST", CHAT, body=chat(image("http://169.254.169.254/")))
    assert answer.status_code == 400 and "images.example.com" in answer.text and inner.bodies == []
    assert ask(guard, "POST", CHAT, body=chat(image(DATA))).status_code == 200
