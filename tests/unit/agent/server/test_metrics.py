"""The guard's own metrics: refusals by reason, and a server that is about to stop."""

from pathlib import Path
from typing import get_args

import pytest
from prometheus_client import REGISTRY

from agent.server.guard import DRAIN_FILE_VARIABLE, Guard
from agent.server.metrics import Reason
from tests.unit.agent.stand_in import CHAT, KEY, Inner, ask


def refusals(reason: Reason) -> float:
    value = REGISTRY.get_sample_value("tpuserve_guard_refusals_total", {"reason": reason})
    assert value is not None, "the series must exist before its first refusal"
    return value


@pytest.mark.parametrize(
    ("reason", "method", "path", "key", "body"),
    [
        ("api_key", "POST", CHAT, None, {"messages": []}),
        ("endpoint", "GET", "/v1/none", KEY, None),
        ("request", "POST", CHAT, KEY, {"seed": 1}),
        (
            "media",
            "POST",
            CHAT,
            KEY,
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}],
                    }
                ]
            },
        ),
    ],
)
def test_each_refusal_is_counted_by_its_reason(
    inner: Inner, key_file: Path, reason: Reason, method: str, path: str, key: str | None, body: object
) -> None:
    before = refusals(reason)
    assert ask(Guard(inner), method, path, key=key, body=body).status_code >= 400
    assert refusals(reason) == before + 1


def test_a_stopping_server_counts_what_it_sends_away(inner: Inner, key_file: Path) -> None:
    guard, before = Guard(inner), refusals("stopping")
    guard.stopping = True
    ask(guard, "POST", CHAT, body={})
    assert refusals("stopping") == before + 1


def test_a_large_body_is_counted(inner: Inner, key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.server.guard.MAX_BODY_BYTES", 10)
    before = refusals("body_size")
    ask(Guard(inner), "POST", CHAT, body={"messages": []})
    assert refusals("body_size") == before + 1


def test_an_answered_request_counts_nothing(inner: Inner, key_file: Path) -> None:
    reasons: tuple[Reason, ...] = get_args(Reason)
    before = {reason: refusals(reason) for reason in reasons}
    assert ask(Guard(inner), "POST", CHAT, body={"messages": []}).status_code == 200
    assert {reason: refusals(reason) for reason in reasons} == before


def test_a_scrape_shows_a_server_that_drains(
    inner: Inner, key_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drain = tmp_path / "draining"
    monkeypatch.setenv(DRAIN_FILE_VARIABLE, str(drain))
    guard = Guard(inner)
    ask(guard, "GET", "/metrics", key=None)
    assert REGISTRY.get_sample_value("tpuserve_draining") == 0
    drain.touch()
    ask(guard, "GET", "/metrics", key=None)
    assert REGISTRY.get_sample_value("tpuserve_draining") == 1
    drain.unlink()
    guard.stopping = True
    ask(guard, "GET", "/metrics", key=None)
    assert REGISTRY.get_sample_value("tpuserve_draining") == 1
