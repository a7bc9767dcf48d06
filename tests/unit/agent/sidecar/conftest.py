"""Fixtures of the sidecar's tests: settings, a server, a run of the acceptance, and a bucket."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent import agent_files
from agent.sidecar import acceptance, evidence, lifecycle
from agent.sidecar import settings as settings_module
from agent.sidecar.client import Client
from agent.sidecar.settings import Settings
from agent.sidecar.verdict import Verdict
from agent.store import gcs
from agent.store.gcp_api import Status
from tests.unit.agent.sidecar.openai_server import KEY, OpenAIServer

STORE = {
    "bucket": "artifacts",
    "archive": "xla/abc.tar",
    "sha256": None,
    "baked": None,
    "publish": True,
    "baseline": "baselines/v6e-4/gemma.json",
    "record": "releases/ab12cd34.json",
    "agent": "agents/5e1f.json",
}
AGENT_FILES = {"agent/__init__.py": "", "agent/server/guard.py": "guard = 1\n"}


def content(folder: Path) -> dict[str, Any]:
    """Returns the settings of a small server, as the deployment writes them."""
    (folder / "key").write_text(f"{KEY}\n")
    return {
        "record": {
            "release": "ab12cd34",
            "image": "image@sha256:1",
            "model": "gemma-4-26b-a4b-it",
            "revision": "r1",
            "accelerator": "v6e-4",
            "argv": ["vllm", "serve", "/models/gemma", "--enable-auto-tool-choice"],
            "environment": {},
            "agent": agent_files.digest(AGENT_FILES),
            "fingerprint": "abc",
            "proof": None,
            "commit": None,
        },
        "server": {"model": "gemma", "max_model_len": 512, "max_num_seqs": 8, "images": True},
        "acceptance": {
            "off": [],
            "prompts": [{"prompt": "What is the capital of France?", "expect": ["paris", "Seine"]}],
            "limits": {"time_to_first_token_ms": None, "time_between_tokens_ms": None},
            "ladder": {"concurrency": [1, 4, 16], "prompt_tokens": 64, "output_tokens": 4},
            "tolerance": 0.5,
            "deadline_seconds": 300,
        },
        "store": None,
        "cache_folder": str(folder / "xla"),
        "status_folder": str(folder),
        "api_key_file": str(folder / "key"),
        "api_key_secret": None,
    }


def write_events(folder: Path, late: int = 0, misses: int = 0, warm_up: bool = True) -> None:
    """Write the engine's counts of compilations, as agent.server.compile_cache_events does.

    `late` slow programs were compiled after the warm-up, and as many small ones.
    """
    counts = {"requests": 48, "hits": 48 - misses, "misses": misses, "compile_seconds": 1.5}
    events = {"pid": 7, "started": 1.0, **counts, "warm_up": counts if warm_up else None}
    slow = [{"name": f"jit_step_{number}", "seconds": 2.5} for number in range(late)]
    after = {"compiled_after_warm_up": 2 * late, "slow_programs": late, "slow_after_warm_up": slow}
    (folder / "cache-events.json").write_text(json.dumps({**events, **after}))


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "SETTLE_SECONDS", 0.001)
    monkeypatch.setattr(lifecycle, "POLL_SECONDS", 0.01)


@pytest.fixture(autouse=True)
def installed_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_files, "installed", lambda: AGENT_FILES)


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    """Returns a function that writes and reads settings with a change."""
    write_events(tmp_path)

    def read(change: Change | None = None) -> Settings:
        chosen = content(tmp_path)
        if change is not None:
            change(chosen)
        file = tmp_path / "sidecar.json"
        file.write_text(json.dumps(chosen))
        return settings_module.read(file)

    return read


def accept(chosen: Settings, server: OpenAIServer) -> tuple[Verdict, list[Verdict]]:
    """Returns the verdict on the server, and those before it."""
    before: list[Verdict] = []

    async def go() -> Verdict:
        headers = {"authorization": f"Bearer {KEY}"}
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=60, limits=limits) as http:
            return await acceptance.accept(chosen, Client(http, chosen.server.model), before.append)

    return asyncio.run(go()), before


class Bucket(dict[str, str]):
    """Objects by name; `problem` is raised instead of an answer."""

    problem: Exception | None = None

    def read(self, bucket: str, name: str) -> bytes:
        assert bucket == "artifacts"
        if self.problem is not None:
            raise self.problem
        if name not in self:
            raise Status(404, "No such object")
        return self[name].encode()

    def create(self, bucket: str, name: str, file: Path) -> None:
        assert bucket == "artifacts"
        if self.problem is not None:
            raise self.problem
        if name in self:
            raise Status(412, "Precondition Failed")
        self[name] = file.read_text()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    objects = Bucket()
    monkeypatch.setattr(gcs, "read", objects.read, raising=False)
    monkeypatch.setattr(gcs, "create", objects.create)
    return objects
