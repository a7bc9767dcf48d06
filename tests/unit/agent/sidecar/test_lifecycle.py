"""The sidecar's life beside a server that starts, is accepted or rejected, and starts again."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from agent.sidecar import lifecycle
from agent.sidecar.lifecycle import Lifecycle
from agent.sidecar.settings import Settings
from agent.sidecar.verdict import Verdict, VerdictFile
from agent.store.gcp_api import Problem
from tests.unit.agent.sidecar.conftest import STORE, Bucket
from tests.unit.agent.sidecar.openai_server import KEY, OpenAIServer, Reply
from tests.unit.agent.sidecar.test_acceptance import only

MakeSettings = Callable[..., Settings]
SECONDS = 60
"""Bounds a failure; a busy machine takes its time."""


async def until(condition: Callable[[], bool]) -> None:
    """Waits for a condition, and fails after a minute without it."""
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.005)


def attend(life: Lifecycle, story: Callable[[], Awaitable[None]]) -> None:
    """Runs the sidecar during a story."""

    async def go() -> None:
        sidecar = asyncio.create_task(life.forever())
        try:
            await story()
        finally:
            sidecar.cancel()
        assert sidecar.cancelled() or not sidecar.done(), sidecar.result()

    asyncio.run(go())


@pytest.fixture
def chosen(settings: MakeSettings) -> Settings:
    return settings(only("chat"))


def state(life: Lifecycle) -> str | None:
    verdict = life.verdicts.read()
    return verdict.state if verdict else None


def test_a_server_is_accepted_when_it_is_healthy_and_again_after_its_restart(
    server: OpenAIServer, chosen: Settings
) -> None:
    server.health = 503
    life = Lifecycle(chosen, server.url)

    async def story() -> None:
        await until(
            lambda: "HTTP 503" in (life.verdicts.read() or life.without_checks("waiting", "")).sentence
        )
        assert state(life) == "waiting" and not server.requests
        server.health = 200
        await until(lambda: state(life) == "accepted")
        assert len(server.requests) == 1
        chosen.verdict_file.unlink()  # as the guard does when its server starts
        await until(lambda: state(life) == "accepted")
        assert len(server.requests) == 2

    attend(life, story)


def test_a_rejected_server_keeps_its_verdict_until_it_is_restarted(
    server: OpenAIServer, chosen: Settings
) -> None:
    life = Lifecycle(chosen, server.url)

    def broken(path: str, body: dict[str, Any], reply: Reply) -> None:
        reply.status = 500

    server.fault = broken

    async def story() -> None:
        await until(lambda: state(life) == "rejected")
        server.fault = lambda path, body, reply: None
        await asyncio.sleep(10 * lifecycle.POLL_SECONDS)
        assert state(life) == "rejected" and len(server.requests) == 1
        chosen.verdict_file.unlink()
        await until(lambda: state(life) == "accepted")

    attend(life, story)


def test_a_server_that_restarts_during_its_acceptance_gets_another(
    server: OpenAIServer, chosen: Settings
) -> None:
    def restarts(path: str, body: dict[str, Any], reply: Reply) -> None:
        if len(server.requests) == 1:
            chosen.verdict_file.unlink()
            reply.status = 500

    server.fault = restarts
    life = Lifecycle(chosen, server.url)

    async def story() -> None:
        await until(lambda: state(life) in ("accepted", "rejected"))
        assert state(life) == "accepted" and len(server.requests) == 2

    attend(life, story)


def test_it_waits_for_an_api_key(server: OpenAIServer, chosen: Settings) -> None:
    key_file = chosen.api_key_file
    assert key_file is not None
    key_file.write_text("\n")
    life = Lifecycle(chosen, server.url)

    async def story() -> None:
        await until(
            lambda: "has no API key" in (chosen.verdict_file.read_text() if life.verdicts.exists() else "")
        )
        assert state(life) == "waiting" and not server.requests
        key_file.write_text(f"{KEY}\nthe-next-key\n")
        await until(lambda: state(life) == "accepted")

    attend(life, story)


@pytest.mark.parametrize(
    ("release", "kept", "requests"), [("ab12cd34", "rejected", 0), ("another", "rejected", 1)]
)
def test_a_restarted_sidecar_keeps_only_a_verdict_on_its_release(
    server: OpenAIServer, chosen: Settings, release: str, kept: str, requests: int
) -> None:
    old = Verdict(release=release, state="rejected", sentence="Before.", finished=1.0)
    VerdictFile(chosen.verdict_file).begin(old)
    life = Lifecycle(chosen, server.url)

    async def story() -> None:
        expected = "rejected" if requests == 0 else "accepted"
        await until(lambda: state(life) == expected)
        await asyncio.sleep(10 * lifecycle.POLL_SECONDS)
        assert len(server.requests) == requests

    attend(life, story)


def test_a_verdict_that_was_not_finished_is_made_again(server: OpenAIServer, chosen: Settings) -> None:
    VerdictFile(chosen.verdict_file).begin(
        Verdict(release="ab12cd34", state="running", sentence="The acceptance has begun.")
    )
    life = Lifecycle(chosen, server.url)

    async def story() -> None:
        await until(lambda: state(life) == "accepted")

    attend(life, story)


def test_records_follow_acceptance_and_are_tried_again(
    server: OpenAIServer, settings: MakeSettings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "RECORDS_AGAIN_SECONDS", 0.05)
    bucket.problem = Problem("storage.googleapis.com does not answer")

    def change(content: dict[str, Any]) -> None:
        only("chat")(content)
        content["store"] = STORE | {"publish": False}

    life = Lifecycle(settings(change), server.url)

    async def story() -> None:
        await until(lambda: life.records.results == {"agent": "failed", "record": "failed"})
        assert state(life) == "accepted"
        bucket.problem = None
        await until(lambda: life.records.results == {"agent": "written", "record": "written"})
        assert json.loads(bucket["releases/ab12cd34.json"])["verdict"]["state"] == "accepted"

    attend(life, story)


def test_a_rejected_release_leaves_no_record(
    server: OpenAIServer, settings: MakeSettings, bucket: Bucket
) -> None:
    server.fault = lambda path, body, reply: setattr(reply, "status", 500)

    def change(content: dict[str, Any]) -> None:
        only("chat", "ladder")(content)
        content["store"] = STORE

    life = Lifecycle(settings(change), server.url)

    async def story() -> None:
        await until(lambda: state(life) == "rejected")
        await asyncio.sleep(10 * lifecycle.POLL_SECONDS)
        assert bucket == {} and life.records.results == {}

    attend(life, story)


def test_a_status_folder_that_cannot_be_written_ends_the_sidecar(
    server: OpenAIServer, chosen: Settings, tmp_path: Path
) -> None:
    gone = chosen.model_copy(update={"status_folder": tmp_path / "missing"})
    with pytest.raises(FileNotFoundError):
        asyncio.run(Lifecycle(gone, server.url).forever())


def test_the_last_words_are_the_sentence_and_are_said_once(
    server: OpenAIServer, settings: MakeSettings, tmp_path: Path
) -> None:
    server.fault = lambda path, body, reply: setattr(reply, "status", 500)
    chosen, words = settings(only("chat")), tmp_path / "termination-log"
    life = Lifecycle(chosen, server.url, words)
    with pytest.raises(lifecycle.Rejected):
        asyncio.run(life.forever())
    assert words.read_text("utf-8").startswith("Release ab12cd34 is rejected by chat: ")
    words.unlink()
    again = Lifecycle(chosen, server.url, words)

    async def story() -> None:
        await asyncio.sleep(10 * lifecycle.POLL_SECONDS)
        assert state(again) == "rejected" and not words.exists()

    attend(again, story)
