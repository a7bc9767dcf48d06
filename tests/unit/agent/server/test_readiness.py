"""`GET /ready` in every state of a server: waiting, accepted, rejected, unhealthy, draining and stopping."""

import json
from pathlib import Path

import pytest

from agent.server.guard import DRAIN_FILE_VARIABLE, Guard, Receive, Scope, Send
from agent.server.readiness import VERDICT_FILE_VARIABLE
from tests.unit.agent.stand_in import Inner, ask


class Health:
    """Stand-in for vLLM's application that answers /health, with an empty body, and nothing else."""

    status = 200

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = self.status if scope["path"] == "/health" else 404
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def verdict_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "acceptance.json"
    monkeypatch.setenv(VERDICT_FILE_VARIABLE, str(file))
    return file


def write(file: Path, state: str, sentence: str = "The sentence of the verdict.") -> None:
    file.write_text(json.dumps({"release": "ab12cd34", "state": state, "sentence": sentence}))


def sentence(guard: Guard) -> str:
    """Returns the message of a /ready that is not 200."""
    answer = ask(guard, "GET", "/ready", key=None)
    assert answer.status_code == 503 and answer.headers["retry-after"] == "1"
    return answer.json()["error"]["message"]


def test_only_an_accepted_server_is_ready_and_it_needs_no_key(verdict_file: Path, key_file: Path) -> None:
    guard = Guard(Health())
    write(verdict_file, "accepted")
    assert ask(guard, "GET", "/ready", key=None).status_code == 200
    for state in ("waiting", "running", "rejected"):
        write(verdict_file, state)
        assert sentence(guard) == "This server has not been accepted: The sentence of the verdict."
        assert ask(guard, "GET", "/health", key=None).status_code == 200


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "its acceptance has not begun"),
        ("", "cannot be read (Expecting value"),
        ('{"state": "accep', "cannot be read (Unterminated string"),
        ("[]", "has no state and sentence"),
        ('{"state": "rejected"}', "has no state and sentence"),
        ('{"state": ["accepted"], "sentence": "x"}', "has no state and sentence"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
    ids=str,
)
def test_a_missing_or_broken_verdict_is_not_ready(
    verdict_file: Path, content: str | bytes | None, expected: str
) -> None:
    guard = Guard(Health())
    if content is not None:
        verdict_file.write_bytes(content.encode() if isinstance(content, str) else content)
    assert expected in sentence(guard)


def test_a_start_deletes_the_verdict_on_the_process_before(verdict_file: Path) -> None:
    write(verdict_file, "accepted")
    assert "has not begun" in sentence(Guard(Health()))
    assert not verdict_file.exists()


def test_a_verdict_that_cannot_be_deleted_never_makes_a_server_ready(verdict_file: Path) -> None:
    verdict_file.mkdir()  # unlink fails, also for root
    guard = Guard(Health())
    verdict_file.rmdir()
    write(verdict_file, "accepted")
    assert "cannot delete the verdict" in sentence(guard) and "restart it" in sentence(guard)


def test_an_accepted_server_is_not_ready_while_its_engine_is_dead(verdict_file: Path) -> None:
    vllm = Health()
    guard = Guard(vllm)
    write(verdict_file, "accepted")
    vllm.status = 503
    assert "HTTP 503" in sentence(guard)
    vllm.status = 200
    assert ask(guard, "GET", "/ready").status_code == 200


def test_an_accepted_server_is_not_ready_while_it_drains_or_stops(
    verdict_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draining = tmp_path / "draining"
    monkeypatch.setenv(DRAIN_FILE_VARIABLE, str(draining))
    guard = Guard(Health())
    write(verdict_file, "accepted")
    draining.touch()
    assert "about to stop" in sentence(guard)
    draining.unlink()
    assert ask(guard, "GET", "/ready").status_code == 200
    guard.stopping = True
    assert "shutting down" in sentence(guard)


def test_without_a_verdict_file_every_healthy_server_is_ready() -> None:
    vllm = Health()
    guard = Guard(vllm)
    assert ask(guard, "GET", "/ready").status_code == 200
    vllm.status = 503
    assert "HTTP 503" in sentence(guard)


def test_ready_is_a_get_only(inner: Inner) -> None:
    assert ask(Guard(inner), "POST", "/ready", body={}).status_code == 404 and inner.bodies == []
