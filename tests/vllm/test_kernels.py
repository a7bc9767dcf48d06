"""The CPU backend's kernels against the libraries' own references, in the server's Python."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from local import image
from local.image.image import ENVIRONMENT
from tests.vllm.running import compile_cache_variables

SERVER = Path(__file__).parent / "programs" / "kernels_server.py"
BFLOAT16_STEP = 2**-8
"""Relative size of one step of bfloat16, the type of the kernels' results."""

ATTENTION: dict[str, dict[str, Any]] = {
    "decode": {"lengths": [(1, 40), (1, 7), (1, 64)]},
    "queries as served": {"lengths": [(1, 40), (9, 9)], "queries": "bfloat16", "named": {"sm_scale": 0.0884}},
    "prefill": {"lengths": [(20, 20), (5, 5)]},
    "mixed": {"lengths": [(1, 33), (1, 64), (9, 30), (14, 14)]},
    "one of many slots": {"lengths": [(3, 50)], "slots": 8, "tokens": 16, "pages_per_request": 8},
    "page of 16": {"lengths": [(1, 60), (12, 40)], "page": 16, "pages_per_request": 4},
    "page edge": {"lengths": [(8, 8), (8, 16), (1, 9)]},
    "full batch, no padding": {"lengths": [(8, 8)] * 4, "tokens": 32},
    "grouped heads": {"lengths": [(1, 20), (6, 12)], "heads": 8, "kv_heads": 2},
    "one head": {"lengths": [(1, 20), (6, 12)], "heads": 1, "kv_heads": 1},
    "head of 256": {"lengths": [(1, 20), (6, 12)], "dim": 256},
    "head of 96, padded to 128": {"lengths": [(1, 20), (6, 12)], "dim": 96},
    "sliding window": {"lengths": [(1, 64), (10, 60)], "named": {"sliding_window": 8}},
    "window beyond the context": {"lengths": [(1, 20)], "named": {"sliding_window": 512}},
    "soft cap": {"lengths": [(1, 40), (9, 9)], "named": {"soft_cap": 5.0}},
    "scaled": {"lengths": [(1, 40), (9, 9)], "named": {"sm_scale": 0.0625, "k_scale": 2.0, "v_scale": 0.5}},
    "not causal": {"lengths": [(16, 16), (7, 20)], "named": {"use_causal_mask": False}},
    "fp8": {"lengths": [(1, 40), (9, 30)], "dtype": "float8_e4m3fn"},
    "fp8 e5m2, window": {
        "lengths": [(1, 60), (9, 30)],
        "dtype": "float8_e5m2",
        "named": {"sliding_window": 16, "k_scale": 1.0, "v_scale": 1.0},
    },
}
COMMON = {
    "heads": 4,
    "kv_heads": 4,
    "dim": 128,
    "page": 8,
    "pages_per_request": 8,
    "slots": 6,
    "tokens": 40,
    "queries": "float32",
    "dtype": "bfloat16",
    "named": {},
    "garbage": 0,
}

MATMUL: dict[str, dict[str, Any]] = {
    "even": {"sizes": [8, 8, 8, 8]},
    "uneven and empty groups": {"sizes": [0, 17, 0, 15]},
    "rows of no group": {"sizes": [5, 6, 7, 8]},
    "no rows": {"sizes": [0, 0, 0, 0]},
    "gelu": {"sizes": [3, 9, 12, 8], "activation": "gelu_tanh"},
    "silu": {"sizes": [3, 9, 12, 8], "activation": "silu"},
    "gelu exact": {"sizes": [3, 9, 12, 8], "activation": "gelu"},
    "swigluoai": {"sizes": [3, 9, 12, 8], "activation": "swigluoai"},
    "first experts of a shard": {"sizes": [3, 9, 12, 8], "local": 2},
    "last experts of a shard": {"sizes": [3, 9, 12, 8], "local": 2, "offset": 2},
    "a shard in the middle": {
        "sizes": [3, 9, 0, 4, 12, 2],
        "local": 3,
        "offset": 2,
        "activation": "gelu_tanh",
    },
}
MATMUL_COMMON = {"rows": 32, "local": 4, "offset": 0, "activation": None}

VISION: dict[str, dict[str, Any]] = {
    "whole": {"shape": [1, 4, 32, 64]},
    "padded": {"shape": [2, 2, 48, 64], "valid": 30},
    "scaled": {"shape": [1, 2, 16, 32], "scale": 0.125},
    "causal": {"shape": [1, 2, 16, 32], "causal": True},
}
VISION_COMMON = {"valid": None, "scale": 1.0, "causal": False}


@pytest.fixture(scope="module")
def answers() -> dict[str, dict[str, Any]]:
    tables = {
        "attention": (COMMON, ATTENTION),
        "matmul": (MATMUL_COMMON, MATMUL),
        "vision": (VISION_COMMON, VISION),
    }
    asked = {
        kind: [{**common, **case, "seed": seed} for seed, case in enumerate(cases.values())]
        for kind, (common, cases) in tables.items()
    }
    process = subprocess.run(
        [image.ensure_environment() / "bin" / "python3", "-W", "ignore", SERVER],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        env={**os.environ, **ENVIRONMENT, **compile_cache_variables("JAX_COMPILATION_CACHE_DIR")},
    )
    assert process.returncode == 0, process.stderr[-4000:]
    found = json.loads(process.stdout.splitlines()[-1])
    return {kind: dict(zip(cases, found[kind], strict=True)) for kind, (_, cases) in tables.items()}


@pytest.mark.parametrize("case", ATTENTION)
def test_attention(answers: dict[str, Any], case: str) -> None:
    answer = answers["attention"][case]
    assert answer["cache_equal"] and answer["cache_changed"]
    assert answer["padding"] == 0.0
    # The reference rounds the weights to the cache's type and, with bfloat16 queries, the scores.
    coarse = 2**-2 if "fp8" in case else 4 * BFLOAT16_STEP
    assert 0 < answer["difference"] < coarse * answer["largest"]


@pytest.mark.parametrize("case", MATMUL)
def test_grouped_matmul(answers: dict[str, Any], case: str) -> None:
    answer = answers["matmul"][case]
    assert answer["difference"] <= 2 * BFLOAT16_STEP * max(1.0, answer["largest"])
    assert answer["foreign"] == 0.0
    assert answer["shape"] == [32, 128 if MATMUL[case].get("activation") else 256]
    assert (answer["largest"] > 0) == (case != "no rows")


@pytest.mark.parametrize("case", VISION)
def test_vision_attention(answers: dict[str, Any], case: str) -> None:
    answer = answers["vision"][case]
    assert answer["library"] < 2 * BFLOAT16_STEP * answer["largest"]
    assert answer["numpy"] is None or answer["numpy"] < 2 * BFLOAT16_STEP * answer["largest"]
    assert answer["dtype"] == "bfloat16"
