"""proof/ with the real libraries: its boot over shapes beside what serving/ computes, and a killed run.

The models have two layers of the 26B model's true dimensions and four of E4B's, so that a boot is mostly
imports and a program compiles in seconds. libtpu compiles for the slice.
"""

import dataclasses
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local import image
from serving.compilation import resolved_config
from serving.compilation.candidate import Candidate
from serving.compilation.proof import Proof
from serving.engine import phases
from serving.engine.config import EngineConfig
from serving.hardware.accelerators import accelerator
from serving.memory import program_buffers
from serving.memory.budget import budget
from serving.memory.weights import groups
from serving.models.catalog import model
from serving.models.spec import ModelSpec
from tools.support import paths

V6E_4 = accelerator("v6e-4")
SMALLER: Mapping[str, Mapping[str, int]] = {
    "gemma-4-26b-a4b-it": {"layers": 2, "full_attention_period": 2},
    # One of each kind of the 18 layers that share another layer's cache.
    "gemma-4-e4b-it": {"layers": 4, "full_attention_period": 2, "kv_shared_layers": 2},
}

ENGINES: Mapping[str, EngineConfig] = {
    "baseline": phases.engine_for("baseline", None, {}),
    "tuned": phases.engine_for("tuned", None, {}),
    "turbo-stable": phases.engine_for("turbo-stable", None, {}),
    "drafting": phases.engine_for(
        "turbo-stable",
        None,
        {"max_num_seqs": 32, "speculative": {"method": "ngram", "num_speculative_tokens": 3}},
    ),
}

SMALL = (
    *("--layers", "2", "--quick", "--processes", "1", "--scenario", "cost-constrained"),
    *("--set", "max_num_batched_tokens=16", "--set", "max_num_seqs=8", "--set", "max_model_len=1024"),
)
"""The smallest engine: no images, one token bucket, one request bucket."""


def environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "PYTHONPATH": str(paths.REPOSITORY)}


def python() -> Path:
    return image.ensure_environment() / "bin" / "python3"


def row(name: str) -> str:
    """Returns the model name of an engine of ENGINES."""
    return phases.PHASES[name if name in phases.PHASES else "turbo-stable"].model


def spec(name: str) -> ModelSpec:
    """Returns the same model with few layers."""
    return dataclasses.replace(model(row(name)), **SMALLER[row(name)])


def boot(name: str, folder: Path) -> dict[str, Any]:
    """Returns what the real engine reports when it boots over shapes."""
    engine = ENGINES[name]
    script = Path(__file__).parent / "programs" / "proof_server.py"
    fields = engine.model_dump_json(exclude_none=True, exclude={"vision_programs"})
    whole = {**json.loads(fields), **_vision(engine)}
    smaller = {"name": row(name), **SMALLER[row(name)]}
    done = subprocess.run(
        [python(), script, json.dumps(smaller), json.dumps(whole), image.ensure_model(), folder],
        capture_output=True, text=True, timeout=600, env=environment(), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def _vision(engine: EngineConfig) -> dict[str, Any]:
    """Uses this project's names: the model serializes this part under vLLM's names."""
    vision = engine.vision_programs
    if vision is None:
        return {}
    return {"vision_programs": {name: value for name, value in vision}}


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Returns the reports of every engine, booted two at a time."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ENGINES}
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda name: boot(name, folders[name]), ENGINES)
    return dict(zip(ENGINES, found, strict=True))


@pytest.mark.parametrize("name", ENGINES)
def test_weights_of_every_group(name: str, booted: dict[str, dict[str, Any]]) -> None:
    assert booted[name]["weights"] == {group.name: group.bytes for group in groups(spec(name), ENGINES[name])}


@pytest.mark.parametrize("name", ENGINES)
def test_buckets_and_programs(name: str, booted: dict[str, dict[str, Any]]) -> None:
    found, expected = booted[name], resolved_config.resolve(spec(name), ENGINES[name]).programs
    for field, sizes in vars(expected.buckets).items():
        assert tuple(found[field]) == sizes, field
    assert found["programs"] == dict(expected.by_kind)


@pytest.mark.parametrize("name", ENGINES)
def test_pages_and_tokens_of_the_kv_cache(name: str, booted: dict[str, dict[str, Any]]) -> None:
    expected = budget(Candidate(V6E_4, spec(name), ENGINES[name]))
    assert booted[name]["pages"] == expected.pool.pages
    assert booted[name]["kv_bytes"] == expected.kv_bytes


def test_what_the_boot_of_a_drafting_server_holds(booted: dict[str, dict[str, Any]]) -> None:
    """The formula counts only the logits; the other arguments are some kilobytes."""
    buckets = resolved_config.resolve(spec("drafting"), ENGINES["drafting"]).programs.buckets
    held = max(booted["drafting"]["held"].values())
    formula = program_buffers.warm_up_bytes(spec("drafting").vocabulary, buckets, V6E_4.chips)
    assert formula <= held < formula * 1.001


def prove(folder: Path, *words: str) -> subprocess.Popen[str]:
    command = [python(), "-m", "proof", "--files", image.ensure_model(), "--work", folder / "work"]
    return subprocess.Popen(
        [*command, "--out", folder / "out", *words], cwd=paths.REPOSITORY, env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def records(folder: Path) -> dict[Path, int]:
    """Returns every finished program's file and when it was written."""
    return {file: file.stat().st_mtime_ns for file in (folder / "work").glob("*/[0-9]*.json")}


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    first = prove(tmp_path, *SMALL)
    deadline = time.monotonic() + 600
    while not records(tmp_path):
        assert first.poll() is None and time.monotonic() < deadline, first.communicate()
        time.sleep(0.1)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    before = records(tmp_path)
    halved = next(iter(before)).with_name("9999.json")
    halved.write_text('{"number": 9999, "kind": "back')

    second = prove(tmp_path, *SMALL)
    said, progress = second.communicate(timeout=600)
    assert second.returncode == 0, progress[-3000:]
    assert "It fits: " in said
    after = records(tmp_path)
    assert before.items() <= after.items()
    (report,) = (tmp_path / "work").glob("*/reports/*.json")
    proof = Proof.model_validate_json(report.read_bytes())
    assert report.with_suffix(".svg").read_text().startswith("<svg ")
    assert len(proof.programs) == len(after) - 1 == len({program.kind for program in proof.programs})
    assert not (tmp_path / "out").exists()
    assert proof.resident_bytes == sum(group.bytes for group in groups(spec("tuned"), ENGINES["tuned"]))
    whole = next(program for program in proof.programs if program.kind == "backbone")
    assert whole.code_bytes > 2**20 and whole.flops > 10**9 and whole.hbm_bytes > 2**30
    # Each program is in the compile cache under the key in its record.
    cached = {file.name for file in (tmp_path / "work").glob("*/cache/*-cache")}
    named = {json.loads(file.read_text())["key"] + "-cache" for file in after if file != halved}
    assert named <= cached


def test_a_model_that_no_chip_holds(tmp_path: Path) -> None:
    run = prove(tmp_path, "--accelerator", "v6e-1", "--set", "tensor_parallel_size=1")
    _, said = run.communicate(timeout=600)
    assert run.returncode == 2
    sentence = said.strip().splitlines()[-1]
    assert sentence == (
        "engine.gpu_memory_utilization is 0.92 (phase tuned): the weights of gemma-4-26b-a4b-it take "
        "50.65 GiB of each chip, and that share of its HBM is 28.74 GiB; leave out "
        "`--set tensor_parallel_size=…` and add `--accelerator v6e-4`."
    ), said[-2000:]
    assert "Traceback" not in said
