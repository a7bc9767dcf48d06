"""The keys under which a baked cache would keep its programs are those that a real server asks for.

A real `vllm serve` boots the tiny model on JAX's CPU backend and fills a compile cache; proof/ computes from
shapes alone, in another process, the key of every program that it would compile for that engine.
"""

import json
import os
import subprocess
from pathlib import Path

from local import image, paths
from local.image.image import ENVIRONMENT
from serving.engine import EngineConfig, parse
from serving.models import model
from serving.runtime import resolve
from tests.server.running import server

FIELDS = {
    "tensor_parallel_size": 4,
    "gpu_memory_utilization": 0.9,
    "max_model_len": 512,
    "max_num_seqs": 16,
    "max_num_batched_tokens": 512,
    # One token bucket: a whole model is what takes long to compile.
    "min_token_bucket": 512,
    # The pages are part of every whole model's key; a CPU's memory is not a chip's.
    "num_gpu_blocks_override": 300,
    "disable_chunked_mm_input": True,
    "limit_mm_per_prompt": {"image": 1},
    "vision_programs": {"token_budgets": [280], "images_per_call": 1},
}


def keys(engine: EngineConfig, folder: Path) -> dict[str, str]:
    """From shapes alone."""
    script = Path(__file__).with_name("keys_server.py")
    done = subprocess.run(
        [image.ensure_environment() / "bin" / "python3", script, json.dumps(FIELDS), image.ensure_model()],
        capture_output=True, text=True, timeout=600, check=False, cwd=folder,
        env={
            **ENVIRONMENT,
            **engine.environment(),
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(paths.REPOSITORY),
            "VLLM_XLA_CACHE_PATH": str(folder / "nothing"),
            "VLLM_CACHE_ROOT": str(folder / "cache"),
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_a_real_boot_finds_every_key_that_was_computed_from_shapes(tmp_path: Path) -> None:
    engine = parse(FIELDS)
    real, abstract = tmp_path / "real", tmp_path / "abstract"
    real.mkdir()
    abstract.mkdir()
    flags = engine.argv("model", "tiny", 1)
    environment = {**engine.environment(), "SKIP_JAX_PRECOMPILE": "0"}
    with server(real, *flags[flags.index("1") + 1 :], environment=environment):
        cached = {file.name.removesuffix("-cache") for file in (real / "xla").glob("*-cache")}
    computed = keys(engine, abstract)
    assert len(computed) == resolve(model("tiny-gemma4-moe"), engine).programs.total
    assert {name for name, key in computed.items() if key not in cached} == set()
    assert not list(abstract.glob("nothing/*-cache"))
