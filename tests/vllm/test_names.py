"""Names and values of environment variables, against the programs that read them."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from serving.engine.config import EngineConfig, parse
from serving.engine.environment_variables import NAMES_FILE
from serving.engine.rendering import targets
from serving.engine.server_flags import FLAGS_FILE
from tests.vllm import oracle
from tools import regenerate_known_names

SCRIPT = Path(__file__).parent / "programs" / "names_server.py"
REQUIRED = {
    "tensor_parallel_size": 4,
    "gpu_memory_utilization": 0.9,
    "max_model_len": 1024,
    "max_num_seqs": 8,
    "max_num_batched_tokens": 512,
    "cache_min_compile_seconds": None,
    "cache_min_entry_bytes": None,
    "no_usage_stats": None,
}

# Field of the engine, value, and what the server's own reader returns for the rendered variable.
VALUES: list[tuple[str, object, object]] = [
    ("bucket_padding_gap", 0, 0),
    ("bucket_padding_gap", 512, 512),
    ("min_token_bucket", 32, 32),
    ("attn_bucketized_num_reqs", True, True),
    ("attn_bucketized_num_reqs", False, False),
    ("sampling_microbatch_size", 16, 16),
    ("model_impl_type", "flax_nnx", "flax_nnx"),
    ("use_batched_rpa_kernel", True, True),
    ("moe_requantize_weight_dtype", "float8_e4m3fn", "float8_e4m3fn"),
    ("moe_requantize_block_size", 128, 128),
    ("num_precompile_workers", 8, 8),
    ("skip_jax_precompile", False, False),
    ("xla_check_recompilation", True, True),
    ("no_usage_stats", True, True),
    ("logging_level", "DEBUG", "DEBUG"),
]
# Read by JAX, whose options are set by their upper-case names.
JAX_VALUES: list[tuple[str, object, object]] = [
    ("cache_min_compile_seconds", 0.0, 0.0),
    ("cache_min_compile_seconds", 2.5, 2.5),
    ("cache_min_entry_bytes", -1, -1),
    ("explain_cache_misses", True, True),
]


def rendered(field: str, value: object) -> dict[str, str]:
    return parse({**REQUIRED, field: value}).environment()


@pytest.fixture(scope="module")
def read() -> list[dict[str, Any]]:
    """Returns what the server's readers return for each row of VALUES."""
    environments = [rendered(field, value) for field, value, _ in VALUES]
    result = subprocess.run(
        [oracle.python(), SCRIPT],
        input=json.dumps(environments),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout)


def test_the_server_reads_what_the_engine_means(read: list[dict[str, Any]]) -> None:
    for (field, value, expected), answer in zip(VALUES, read, strict=True):
        assert list(answer.values()) == [expected], (field, value)


@pytest.mark.parametrize(("field", "value", "expected"), JAX_VALUES)
def test_jax_reads_what_the_engine_means(field: str, value: object, expected: object) -> None:
    (name,) = rendered(field, value)
    script = f"import jax; print(repr(jax.config.values[{name.lower()!r}]))"
    result = subprocess.run(
        [oracle.python(), "-c", script],
        env={**rendered(field, value), "JAX_PLATFORMS": "cpu", "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    assert result.stdout.strip() == repr(expected)


def test_every_variable_of_the_engine_is_checked_above() -> None:
    checked = {field for field, _, _ in (*VALUES, *JAX_VALUES)}
    assert checked == {target.field for target in targets(EngineConfig, "variable")}


def test_the_lists_of_known_names_are_those_of_the_installed_packages_and_of_the_parser() -> None:
    """When a package has changed, run `python -m tools.regenerate_known_names ENVIRONMENT` and read the
    diff."""
    (site_packages,) = oracle.python().parents[1].glob("lib/python3*/site-packages")
    names = json.loads(NAMES_FILE.read_text("utf-8"))
    assert names == {"read_on": names["read_on"], **regenerate_known_names.generate_names(site_packages)}
    flags = json.loads(FLAGS_FILE.read_text("utf-8"))
    listed = regenerate_known_names.generate_flags(oracle.python(), site_packages)
    assert flags == {"read_on": flags["read_on"], **listed}
