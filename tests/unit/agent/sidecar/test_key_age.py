"""The creation time of the key's newest version, from answers of Secret Manager."""

import logging
from collections.abc import Mapping
from typing import Any

import pytest

from agent.sidecar import key_age
from agent.sidecar.key_age import KeyAge
from agent.store import gcp_api
from agent.store.gcp_api import Status

SECRET = "projects/p/secrets/tpuserve-api-key-prod"


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gcp_api, "token", lambda: "token")


def test_the_newest_version_is_asked_for_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(url: str, headers: Mapping[str, str]) -> Any:
        assert headers == {"Authorization": "Bearer token"}
        assert url == f"https://secretmanager.googleapis.com/v1/{SECRET}/versions/latest"
        return {
            "name": f"{SECRET}/versions/3",
            "createTime": "2026-11-01T12:00:00.250000Z",
            "state": "ENABLED",
        }

    monkeypatch.setattr(gcp_api, "read", read)
    assert key_age.created(SECRET) == 1793534400.25


def test_a_failed_look_is_reported_and_keeps_the_time_before(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers: list[Exception | dict[str, str]] = [
        {"createTime": "2026-11-01T12:00:00Z"},
        Status(403, "Permission denied"),
        {"createTime": "yesterday"},
    ]

    def read(url: str, headers: Mapping[str, str]) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def sleep(seconds: float) -> None:
        if not answers:
            raise KeyboardInterrupt

    monkeypatch.setattr(gcp_api, "read", read)
    monkeypatch.setattr(key_age.time, "sleep", sleep)
    key = KeyAge(SECRET)
    with caplog.at_level(logging.WARNING), pytest.raises(KeyboardInterrupt):
        key.keep_reading()
    assert key.created == 1793534400.0
    assert [line.split(" (")[0] for line in caplog.messages] == [f"The age of {SECRET} is not known"] * 2
    assert "HTTP 403: Permission denied" in caplog.text and "yesterday" in caplog.text
