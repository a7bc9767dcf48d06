"""The load test's Job against the real server: its program as it is shipped, and vLLM's own benchmark."""

import json
import os
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from agent import load_test
from agent.load_test.cell import Cell
from tests.vllm import oracle
from tests.vllm.conftest import KEY
from tests.vllm.running import NAME, Server

CELLS = (
    Cell(concurrency=1, prompt_tokens=100, output_tokens=8, requests=3),
    Cell(concurrency=4, prompt_tokens=100, output_tokens=8, requests=8),
)


@pytest.fixture(scope="module")
def settings(guarded: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the Job's settings, in a folder with its program."""
    folder = tmp_path_factory.mktemp("load-test")
    for name, text in load_test.files().items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    (folder / "key").write_text(KEY, "utf-8")
    file = folder / "load-test.json"
    document = {
        "server": guarded.url,
        "sidecar_metrics": None,
        "model": NAME,
        "tokenizer": str(guarded.log.parent / "model"),
        "program": str(oracle.python().with_name("vllm")),
        "api_key_file": str(folder / "key"),
        "release": "ab12cd34",
        "ladder": "two",
        "cells": [asdict(cell) for cell in CELLS],
        "bucket": None,
        "baseline": None,
    }
    file.write_text(json.dumps(document), "utf-8")
    return file


def run(settings: Path, *words: str | Path) -> list[Any]:
    """Run a program in the server's Python, with the shipped files; returns its lines of JSON."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(settings.parent),
        "PYTHONPATH": str(settings.parent),
    }
    done = subprocess.run(
        [oracle.python(), *words, settings],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=settings.parent,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert KEY not in done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def ladder(guarded: Server, settings: Path) -> tuple[list[Any], float]:
    """Returns the events of a whole ladder, and the prompt tokens that the server counted meanwhile."""

    def prompt_tokens() -> float:
        lines = guarded.client.get(f"{guarded.url}/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith("vllm:prompt_tokens_total"))

    before = prompt_tokens()
    events = run(settings, "-m", "agent.load_test")
    return events, prompt_tokens() - before


def test_a_ladder_is_measured_with_prompts_of_the_given_length(ladder: tuple[list[Any], float]) -> None:
    events, prompt_tokens = ladder
    assert [event["event"] for event in events] == ["run", "begin", "cell", "begin", "cell", "end"]
    assert events[-1]["complete"]
    for cell, event in zip(CELLS, (events[2], events[4]), strict=True):
        result = event["result"]
        assert (result["state"], result["sentence"]) == ("measured", "")
        assert (result["failures"], result["prefix_cache_hits"]) == (0, 0)
        assert 0 < result["time_to_first_token_ms"]["p50"] <= result["whole_request_ms"]["p50"]
        assert result["requests"] == cell.requests and result["output_tokens_per_second"] > 0
    assert prompt_tokens == sum(cell.requests * cell.prompt_tokens for cell in CELLS)


def test_a_cell_whose_prompts_hit_the_prefix_cache_is_rejected(
    ladder: tuple[list[Any], float], settings: Path
) -> None:
    seed = ladder[0][2]["result"]["seed"]
    (again,) = run(settings, Path(__file__).parent / "programs" / "load_test_server.py", str(seed))
    assert again["state"] == "rejected"
    assert "c1-p100-o8 is rejected: " in again["sentence"] and "prefix cache" in again["sentence"]
    assert again["prefix_cache_hits"] > 0
