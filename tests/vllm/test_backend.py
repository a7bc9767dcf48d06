"""Effects of each patch of the CPU backend, and the tiny model's files, in the model server's Python."""

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from local import image
from local.image import constants
from local.image.image import ENVIRONMENT

HERE = Path(__file__).parent


def run(*arguments: Path | str) -> str:
    process = subprocess.run(
        [image.ensure_environment() / "bin" / "python3", "-W", "ignore", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **ENVIRONMENT},
    )
    assert process.returncode == 0, process.stderr[-4000:]
    return process.stdout


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return json.loads(run(HERE / "programs" / "backend_server.py").splitlines()[-1])


def test_it_does_nothing_where_there_is_a_tpu(found: dict[str, Any]) -> None:
    assert found["elsewhere"] == "nothing"
    assert found["before"]["mesh"] is None and "No such compile option" in found["before"]["tpu option"]


def test_it_refuses_versions_that_it_was_not_written_for(found: dict[str, Any]) -> None:
    assert found["other version"].startswith("WrongVersion: tpuserve_cpu_backend cannot run this server")
    assert "jax 0.11.2 (wants 0.1)" in found["other version"] and "WRITTEN_FOR" in found["other version"]


def test_it_wants_the_size_of_a_chip(found: dict[str, Any]) -> None:
    assert "TPUSERVE_CPU_HBM_BYTES is 'much'" in found["no size"]
    assert found["after"]["hbm"] == constants.HBM_BYTES


def test_devices_keep_their_order_unless_the_user_says_another(found: dict[str, Any]) -> None:
    assert found["after"]["devices"] == constants.CHIPS
    assert found["after"]["mesh"] == [0, 1, 2, 3] and found["after"]["mesh as set"] == [3, 2, 1, 0]


def test_only_options_for_tpus_are_dropped(found: dict[str, Any]) -> None:
    assert found["after"]["tpu option"] == found["after"]["cpu option"] == "nothing"
    assert "No such compile option" in found["after"]["unknown option"]


def test_a_step_keeps_the_arrays_that_it_was_given(found: dict[str, Any]) -> None:
    assert found["before"]["changed sizes"], "JAX copies at once now: the patch can go"
    assert found["after"]["changed sizes"] == []


def test_a_chip_is_described(found: dict[str, Any]) -> None:
    assert found["after"]["lanes"] == 128


def test_the_tiny_model_is_the_same_each_time_and_speaks_words(tmp_path: Path) -> None:
    script = Path(image.__path__[0], "make_tiny_model.py")
    digests: list[dict[str, str]] = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        run("-I", script, tmp_path / name)
        files = sorted((tmp_path / name).iterdir())
        digests.append({file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files})
    assert digests[0] == digests[1] and "model.safetensors" in digests[0]
    answer = json.loads(run(HERE / "programs" / "tiny_model_server.py", tmp_path / "one").splitlines()[-1])
    assert answer["prompt"] == "<bos><|turn>user\nHello there<turn|>\n<|turn>model\n"
    assert answer["image"] == "<bos><|turn>user\nLook<|image|><turn|>\n<|turn>model\n"
    assert answer["words"] > 0.999
    assert answer["round trip"] == "Hello, 1 + 1 = 2?"
