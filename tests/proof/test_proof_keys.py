"""Keys of the programs in a baked cache are the keys that a real server looks up.

A real `vllm serve` boots the tiny model on JAX's CPU backend and fills a compile cache; proof/ computes, only
from shapes and in another process, the key of every program that it would compile for that engine.
"""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from local import image
from local.image.image import ENVIRONMENT
from serving.compilation.candidate import Candidate
from serving.compilation.fingerprint import fingerprint, moved
from serving.compilation.resolved_config import resolve
from serving.engine.config import parse
from serving.hardware.accelerators import accelerator
from serving.models.catalog import model
from tests.vllm.running import server, vllm_cache
from tools.support import paths

FIELDS = {
    "tensor_parallel_size": 4,
    "gpu_memory_utilization": 0.9,
    "max_model_len": 512,
    "max_num_seqs": 16,
    "max_num_batched_tokens": 512,
    # Use one token bucket: compiling a whole model takes long.
    "min_token_bucket": 512,
    # The pages are part of every whole model's key; a CPU's memory differs from a chip's.
    "num_gpu_blocks_override": 300,
    "disable_chunked_mm_input": True,
    "limit_mm_per_prompt": {"image": 1},
    "vision_programs": {"token_budgets": [280], "images_per_call": 1},
}


def keys(engines: Sequence[Mapping[str, object]], folder: Path) -> list[dict[str, str]]:
    """Returns the key of each program of each engine, computed only from shapes."""
    script = Path(__file__).parent / "programs" / "keys_server.py"
    done = subprocess.run(
        [image.ensure_environment() / "bin" / "python3", script, json.dumps(engines), image.ensure_model()],
        capture_output=True, text=True, timeout=600, check=False, cwd=folder,
        env={
            **ENVIRONMENT,
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "HF_HUB_OFFLINE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "PYTHONPATH": str(paths.REPOSITORY),
            "VLLM_XLA_CACHE_PATH": str(folder / "nothing"),
            "VLLM_CACHE_ROOT": vllm_cache(folder),
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
    variables = {"SKIP_JAX_PRECOMPILE": "0", "VLLM_XLA_CACHE_PATH": str(real / "xla")}
    with server(real, *flags[flags.index("1") + 1 :], environment={**engine.environment(), **variables}):
        cached = {file.name.removesuffix("-cache") for file in (real / "xla").glob("*-cache")}
    (computed,) = keys([FIELDS], abstract)
    assert len(computed) == resolve(model("tiny-gemma4-moe"), engine).programs.total
    assert {name for name, key in computed.items() if key not in cached} == set()
    # None of the engine's programs was compiled there; a random seed and the like are created for real.
    compiled = {file.name.removesuffix("-cache") for file in (abstract / "nothing").glob("*-cache")}
    assert not compiled & set(computed.values())


CHANGES: tuple[tuple[dict[str, object], bool], ...] = (
    ({"enable_prefix_caching": False}, False),
    ({"safetensors_load_strategy": "lazy"}, False),
    ({"max_model_len": 500, "block_size": 32}, False),
    ({"gpu_memory_utilization": 0.8}, False),
    ({"num_gpu_blocks_override": 301}, True),
    ({"max_num_seqs": 8}, True),
    ({"kv_cache_dtype": "fp8_e5m2"}, True),
    ({"block_size": 64}, True),
    ({"limit_mm_per_prompt": {"image": 0}, "vision_programs": None}, True),
)
"""Fields laid over FIELDS, and whether a cache filled for FIELDS would lack a program or get a new name. The
pages are fixed, so that the share of HBM has no effect."""


def test_the_fingerprint_moves_exactly_when_a_key_does(tmp_path: Path) -> None:
    base, *others = keys([FIELDS, *({**FIELDS, **change} for change, _ in CHANGES)], tmp_path)
    here = _fingerprint({})
    for (change, moves), found in zip(CHANGES, others, strict=True):
        assert (set(found.values()) != set(base.values())) == moves, change
        assert bool(moved(here, _fingerprint(change))) == moves, change


def _fingerprint(change: Mapping[str, object]):
    engine = parse({**FIELDS, **change})
    candidate = Candidate(accelerator("local-v6e-4"), model("tiny-gemma4-moe"), engine)
    return fingerprint(candidate, image="image")


ADD = """
import sys, jax
jax.config.update("jax_compilation_cache_dir", sys.argv[1])
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
print(jax.jit(lambda x: x + 1)(jax.numpy.arange(4)).tolist())
"""


def test_an_entry_that_does_not_load_is_compiled_again(tmp_path: Path) -> None:
    command = [image.ensure_environment() / "bin" / "python3", "-c", ADD, tmp_path]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "JAX_PLATFORMS": "cpu"}

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)

    assert run().stdout.splitlines()[-1] == "[1, 2, 3, 4]"
    entries = list(tmp_path.glob("jit__lambda*-cache"))
    assert entries
    for entry in entries:
        entry.write_bytes(b"no program of this runtime")
    again = run()
    assert again.stdout.splitlines()[-1] == "[1, 2, 3, 4]", again.stderr[-2000:]
    assert "Error reading persistent compilation cache entry" in again.stderr
