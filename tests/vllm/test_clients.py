"""Clients that people use, through the guard: the SDKs of OpenAI and Anthropic, and `vllm bench serve`."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from local import image
from tests.vllm import oracle
from tests.vllm.conftest import KEY
from tests.vllm.running import NAME, Server

PROMPTS = 4
PAINTED = ({"color": "red"}, {"color": "blue"})


@pytest.fixture(scope="module")
def results(guarded: Server) -> dict[str, dict[str, Any]]:
    """Returns the results of the SDKs' calls."""
    script = Path(__file__).parent / "programs" / "clients_server.py"
    run = subprocess.run(
        [oracle.python(), script, guarded.url, NAME, KEY], capture_output=True, text=True, timeout=500
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
def test_an_sdk_chats_streams_calls_tools_and_sends_images(
    results: dict[str, dict[str, Any]], sdk: str
) -> None:
    answers = results[sdk]
    assert answers["chat"] and answers["stream"] == answers["chat"]
    assert answers["structured"] in ("red", "blue")
    tool = answers["tool"]
    assert (tool in PAINTED) if sdk == "openai" else tool and all(call in PAINTED for call in tool)
    tokens, text = answers["image"]
    assert tokens > 100 and text, "a square image takes 16 x 16 tokens"
    assert "This server cannot honor" in answers["refused"]


def test_the_other_endpoints_of_the_sdks_work(results: dict[str, dict[str, Any]]) -> None:
    answers = results["openai"]
    assert answers["models"] == [NAME]
    assert answers["responses"]
    assert answers["responses stream"][-1] == "response.completed"
    assert answers["responses tool"] in PAINTED
    assert results["anthropic"]["count"] > 5


@pytest.mark.parametrize(
    ("backend", "endpoint"), [("openai", "/v1/completions"), ("openai-chat", "/v1/chat/completions")]
)
def test_vllm_bench_serve_completes(guarded: Server, tmp_path: Path, backend: str, endpoint: str) -> None:
    command: list[str | Path] = [
        *(oracle.python().with_name("vllm"), "bench", "serve", "--backend", backend),
        *("--base-url", guarded.url, "--endpoint", endpoint, "--model", NAME),
        *("--tokenizer", image.ensure_model(), "--header", f"Authorization=Bearer {KEY}"),
        *("--dataset-name", "random", "--random-input-len", "20", "--random-output-len", "4"),
        *("--num-prompts", str(PROMPTS), "--save-result", "--result-dir", tmp_path),
    ]
    environment = {
        **{"PATH": os.environ["PATH"], "HOME": str(tmp_path), "JAX_PLATFORMS": "cpu"},
        **{"VLLM_PLUGINS": "", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"},
    }
    run = subprocess.run(
        command, capture_output=True, text=True, timeout=300, cwd=tmp_path, env=environment, check=False
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    (file,) = tmp_path.glob("*.json")
    result = json.loads(file.read_text("utf-8"))
    assert (result["completed"], result["failed"]) == (PROMPTS, 0), run.stdout[-2000:]
