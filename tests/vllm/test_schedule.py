"""Steps of the planner beside those of vLLM's real engine: order, sizes, chunks, preemptions, ends.

The engine is small, so that requests wait for slots, are cut into chunks, lose their pages, share cached ones
and wait for the encoder of their images. The client sends its next request when an answer ends, so no step
depends on a clock.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from local import image
from local.image.image import ENVIRONMENT
from tests.vllm import oracle
from tests.vllm.running import compile_cache_variables, vllm_cache

OTHERS = ["more pages", "fewer slots", "longer steps", "chunked images", "no prefix cache", "synchronous"]
"""Settings that the program changes only in the planner."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Returns what one process of the server's Python found."""
    oracle.python()
    folder = tmp_path_factory.mktemp("schedule")
    variables = {
        **{name: value for name, value in ENVIRONMENT.items() if name != "PATH"},
        "HOME": str(folder),
        "VLLM_CACHE_ROOT": vllm_cache(folder),
        "HF_HUB_OFFLINE": "1",
        # Programs are compiled when a step first needs them.
        "SKIP_JAX_PRECOMPILE": "1",
        **compile_cache_variables(),
    }
    program = Path(__file__).parent / "programs" / "schedule_server.py"
    return json.loads(oracle.run(program, image.ensure_model(), variables=variables))


def test_the_planner_schedules_what_the_engine_does(found: dict[str, Any]) -> None:
    for number, (ours, theirs) in enumerate(
        zip(found["planner"]["steps"], found["engine"]["steps"], strict=False)
    ):
        assert ours == theirs, f"step {number}"
    assert found["planner"] == found["engine"]


def test_the_load_has_every_kind_of_step(found: dict[str, Any]) -> None:
    steps = found["engine"]["steps"]
    chunks = [number for step in steps for number, tokens in step["tokens"] if tokens > 1]
    assert {len(step["tokens"]) for step in steps} == {1, 2, 3, 4}
    assert len(chunks) > len(set(chunks)), "no prompt is computed in chunks"
    assert any(step["preempted"] for step in steps)
    assert any(cached for step in steps for _, cached in step["begun"]), "no prefix is cached"
    assert {sum(images for _, images in step["images"]) for step in steps} == {0, 1}


@pytest.mark.parametrize("name", OTHERS)
def test_another_setting_has_other_steps(name: str, found: dict[str, Any]) -> None:
    assert found[name]["steps"] != found["engine"]["steps"]
