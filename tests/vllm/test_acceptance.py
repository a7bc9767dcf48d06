"""The delivered sidecar beside the real server: what it accepts, what it rejects, and what `/ready` answers.

One server, which compiles its programs at its start as a deployed one does.
"""

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from agent import bundle
from agent.sidecar.settings import CHECK_NAMES
from local import image
from operate.tunnel import free_port
from tests.vllm.running import FLAGS, NAME, compile_cache, server

KEY = "a-key-of-this-test"
SECONDS = 300
NO_LIMITS = {"time_to_first_token_ms": None, "time_between_tokens_ms": None}
PROMPT = "What is the capital of France?"


class Accepted(NamedTuple):
    """Verdict of one run of the sidecar, and what `/ready` and `/metrics` answered after it."""

    verdict: dict[str, Any]
    ready: httpx.Response
    metrics: str

    def result(self, name: str) -> str:
        return next(check["result"] for check in self.verdict["checks"] if check["name"] == name)

    def sentence(self, name: str) -> str:
        return next(check["sentence"] for check in self.verdict["checks"] if check["name"] == name)


class Deployment:
    """A server with the agent's files, and its status folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.status = folder, folder / "status"
        self.status.mkdir()
        bundle.main(folder / "agent")
        (folder / "key").write_text(KEY)
        self.url = ""

    def environment(self) -> dict[str, str]:
        return {
            "PYTHONPATH": str(self.folder / "agent"),
            "SKIP_JAX_PRECOMPILE": "0",
            "TPUSERVE_API_KEY_FILE": str(self.folder / "key"),
            "TPUSERVE_CACHE_EVENTS_FILE": str(self.status / "cache-events.json"),
            "TPUSERVE_VERDICT_FILE": str(self.status / "acceptance.json"),
        }

    def settings(self, off: list[str], **acceptance: Any) -> dict[str, Any]:
        """Returns the sidecar's settings as the deployment writes them."""
        return {
            "record": {
                "release": "ab12cd34",
                "image": "local",
                "model": "tiny-gemma4-moe",
                "revision": None,
                "accelerator": "local-v6e-4",
                "argv": ["vllm", "serve", *FLAGS],
                "environment": self.environment(),
                "agent": "a" * 64,
                "fingerprint": "abc",
            },
            "server": {"model": NAME, "max_model_len": 512, "max_num_seqs": 8, "images": True},
            "acceptance": {
                "off": off,
                "prompts": [],
                "limits": NO_LIMITS,
                "ladder": {"concurrency": [1, 4, 16], "prompt_tokens": 128, "output_tokens": 8},
                "tolerance": 0.5,
                "deadline_seconds": SECONDS,
                **acceptance,
            },
            "store": None,
            "cache_folder": str(compile_cache()),
            "status_folder": str(self.status),
            "api_key_file": str(self.folder / "key"),
            "api_key_secret": None,
        }

    def accept(self, off: list[str], **acceptance: Any) -> Accepted:
        """Runs the sidecar in the server's Python until it has a verdict on the server."""
        file, port = self.folder / "sidecar.json", free_port()
        file.write_text(json.dumps(self.settings(off, **acceptance)))
        (self.status / "acceptance.json").unlink(missing_ok=True)
        python = image.ensure_environment() / "bin" / "python"
        words = ("--settings", str(file), "--address", "127.0.0.1", "--port", str(port), "--server", self.url)
        with subprocess.Popen(
            [python, "-m", "agent.sidecar", *words],
            cwd=self.folder,
            env={"PYTHONPATH": str(self.folder / "agent")},
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                verdict = _finished(process, f"http://127.0.0.1:{port}")
                ready = httpx.get(f"{self.url}/ready", timeout=60)
                metrics = httpx.get(f"http://127.0.0.1:{port}/metrics").text if verdict else ""
            finally:
                process.send_signal(signal.SIGTERM)
                _, log = process.communicate(timeout=60)
        assert verdict is not None and process.returncode == 0 and "Traceback" not in log, log
        return Accepted(verdict, ready, metrics)


def _finished(process: subprocess.Popen[str], address: str) -> dict[str, Any] | None:
    """Returns the verdict of a sidecar; None when it ended before it had one, or had none in time."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            verdict = httpx.get(f"{address}/acceptance").json()
            if verdict["finished"] is not None:
                return verdict
        time.sleep(0.1)
    return None


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    deployed = Deployment(tmp_path_factory.mktemp("accepted"))
    (deployed.status / "acceptance.json").write_text(
        '{"state": "accepted", "sentence": "Of another process."}'
    )
    flags = ("--middleware", "agent.server.guard.Guard")
    with server(deployed.folder, *flags, environment=deployed.environment(), key=KEY) as running:
        deployed.url = running.url
        yield deployed


def only(*names: str) -> list[str]:
    return [name for name in CHECK_NAMES if name not in names]


def test_a_sound_server_is_ready_after_its_acceptance(deployment: Deployment) -> None:
    before = httpx.get(f"{deployment.url}/ready", timeout=60)
    assert before.status_code == 503 and "its acceptance has not begun" in before.text
    accepted = deployment.accept([])
    assert accepted.verdict["state"] == "accepted", accepted.verdict["sentence"]
    # The warm-up leaves the vision tower out, as without engine.vision_programs. Its programs take about a
    # second on JAX's CPU backend, from which on they are a warning.
    compiled = accepted.result("compiled")
    assert compiled == "passed" or "set engine.vision_programs" in accepted.sentence("compiled")
    others = {"prompts": "skipped", "compiled": compiled, "cache_misses": "skipped", "hbm": "skipped"}
    assert {name: accepted.result(name) for name in CHECK_NAMES} == dict.fromkeys(
        CHECK_NAMES, "passed"
    ) | others
    assert [cell["concurrency"] for cell in accepted.verdict["ladder"]] == [1, 4, 8]
    assert accepted.ready.status_code == 200
    assert 'tpuserve_acceptance{state="accepted"} 1.0' in accepted.metrics


def test_a_missing_word_rejects_and_the_server_stays_without_traffic(deployment: Deployment) -> None:
    prompts = [{"prompt": PROMPT, "expect": ["a word that no model of random weights says"]}]
    rejected = deployment.accept(only("prompts"), prompts=prompts)
    assert rejected.verdict["state"] == "rejected"
    assert f"The answer to '{PROMPT}' lacks 'a word that no model" in rejected.sentence("prompts")
    message = rejected.ready.json()["error"]["message"]
    assert rejected.ready.status_code == 503
    assert message == f"This server has not been accepted: {rejected.verdict['sentence']}"
    assert httpx.get(f"{deployment.url}/health", timeout=60).status_code == 200


def test_a_limit_that_is_too_low_rejects(deployment: Deployment) -> None:
    limits = {"time_to_first_token_ms": 0.001, "time_between_tokens_ms": None}
    rejected = deployment.accept(only("ladder"), limits=limits)
    assert rejected.verdict["state"] == "rejected"
    assert rejected.sentence("ladder").startswith("At concurrency 1 the median time to first token is ")
    assert "above acceptance.limits.time_to_first_token_ms = 0.001" in rejected.sentence("ladder")


def test_a_program_that_a_request_waited_for_rejects(deployment: Deployment) -> None:
    """The engine's own counts, with one slow program more than it had."""
    events = json.loads((deployment.status / "cache-events.json").read_text())
    assert events["warm_up"]["requests"] > 0
    slow = {"name": "run_model_impl", "seconds": 12.5}
    deployment.status = deployment.folder / "another"
    deployment.status.mkdir()
    (deployment.status / "cache-events.json").write_text(json.dumps({**events, "slow_after_warm_up": [slow]}))
    rejected = deployment.accept(only("compiled"))
    assert rejected.verdict["state"] == "rejected"
    assert "such as run_model_impl with 12.5 s" in rejected.sentence("compiled")
