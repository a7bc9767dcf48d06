"""Browsers: preflights, and whose pages may read an answer."""

from pathlib import Path

import pytest

from agent.server import cors
from agent.server.guard import KEY_FILE_VARIABLE, Guard
from tests.unit.agent.stand_in import CHAT, KEY, Inner, ask

PAGE = "https://chat.example.com"
OTHER = "https://evil.example"
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type",
}


@pytest.fixture
def inner() -> Inner:
    """Answers as vLLM does, whose own CORS middleware allows every origin."""
    inner = Inner()
    inner.headers = [(b"access-control-allow-origin", b"*"), (b"Access-Control-Allow-Credentials", b"true")]
    return inner


def guard(inner: Inner, allowed: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Guard:
    (tmp_path / "key").write_text(KEY)
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(tmp_path / "key"))
    if allowed is not None:
        monkeypatch.setenv(cors.VARIABLE, allowed)
    return Guard(inner)


@pytest.mark.parametrize(
    ("allowed", "origin", "answered"),
    [
        (None, PAGE, False),
        ("", PAGE, False),
        (" , ", PAGE, False),
        (PAGE, PAGE, True),
        (f"https://a.example, {PAGE}", PAGE, True),
        (PAGE, OTHER, False),
        (PAGE, PAGE + ".evil.example", False),
        (PAGE, "null", False),
        ("*", OTHER, True),
    ],
)
def test_who_may_call(
    allowed: str | None,
    origin: str,
    answered: bool,
    inner: Inner,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = guard(inner, allowed, tmp_path, monkeypatch)
    asked = ask(app, "OPTIONS", CHAT, key=None, headers={"origin": origin, **PREFLIGHT})
    assert (asked.status_code == 200) is answered and inner.bodies == []
    assert (asked.headers.get("access-control-allow-origin") == origin) is answered
    if answered:
        assert asked.headers["access-control-allow-headers"] == PREFLIGHT["access-control-request-headers"]
        assert "POST" in asked.headers["access-control-allow-methods"]
    for body, status in (({}, 200), ({"seed": 1}, 400)):
        answer = ask(app, "POST", CHAT, body=body, headers={"origin": origin})
        assert answer.status_code == status
        assert answer.headers.get("access-control-allow-origin") == (origin if answered else None)
        assert "access-control-allow-credentials" not in answer.headers
        assert ("vary" in answer.headers) is bool((allowed or "").strip(" ,"))


def test_a_page_learns_why_its_key_is_refused(
    inner: Inner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = ask(guard(inner, PAGE, tmp_path, monkeypatch), "POST", CHAT, key=None, headers={"origin": PAGE})
    assert answer.status_code == 401 and answer.headers["access-control-allow-origin"] == PAGE


@pytest.mark.parametrize("headers", [{}, {"origin": PAGE}, PREFLIGHT])
def test_options_that_are_no_preflight_need_a_key(
    headers: dict[str, str], inner: Inner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = guard(inner, PAGE, tmp_path, monkeypatch)
    assert ask(app, "OPTIONS", CHAT, key=None, headers=headers).status_code == 401
    assert ask(app, "OPTIONS", CHAT, headers=headers).status_code == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-api-key": KEY}, 200),
        ({"x-api-key": f" {KEY} "}, 200),
        ({"x-api-key": "wrong", "authorization": f"Bearer {KEY}"}, 200),
        ({"x-api-key": KEY, "authorization": "Bearer wrong"}, 200),
        ({"x-api-key": "wrong"}, 401),
        ({"x-api-key": ""}, 401),
        ({"x-api-key": f"Bearer {KEY}"}, 401),
        ({"authorization": KEY}, 401),
    ],
)
def test_the_key_may_come_as_anthropics_sdk_sends_it(
    headers: dict[str, str], status: int, inner: Inner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = guard(inner, None, tmp_path, monkeypatch)
    assert ask(app, "POST", "/v1/messages", key=None, body={}, headers=headers).status_code == status
