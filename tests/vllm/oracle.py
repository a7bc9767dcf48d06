"""Random configurations for the wheels' own functions, and one run of them in the server's environment."""

import itertools
import json
import os
import random
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from local import image
from tools.support import paths

VERSION = "0.32.0"
PACKAGES = {"vllm-tpu": VERSION, "tpu-inference": VERSION}
CASES = 1000
SEED = 20261022
COUNTED = 4
"""Programs are counted for every fourth case: the library's loops are long for small gaps."""


def cases() -> list[dict[str, Any]]:
    """Returns geometries and engines, most of them unlike any real one; the same ones on every run."""
    chance = random.Random(SEED)
    return [_case(chance, number) for number in range(CASES)]


def _case(chance: random.Random, number: int) -> dict[str, Any]:
    chips = chance.choice([1, 2, 4, 8])
    seqs = chance.choice([1, 3, 8, 12, 16, 64, 100, 128, 256, 500, 512, 1024])
    smallest = chance.choice([1, 2, 8, 16, 16, 16, 32, 64])
    return {
        "chips": chips,
        "max_num_seqs": seqs,
        "max_num_batched_tokens": chance.choice([17, 128, 512, 1000, 2048, 2496, 4096, 5000, 8192]),
        "max_model_len": chance.choice([200, 1024, 2048, 4096, 8192, 8193, 16_384, 32_768, 100_000, 262_144]),
        "min_token_bucket": smallest,
        "gap": chance.choice([0, 0, 0, 64, 96, 128, 256, 512, 1000, 8192]),
        "extra": sorted(chance.sample([48, 96, 640, 3000, 9000], chance.choice([0, 0, 0, 1, 2]))),
        "bucketized": chance.random() < 0.2,
        "drafts": chance.choice([0, 0, 1, 3, 4, 7]),
        "multimodal": chance.random() < 0.5,
        "async": chance.random() < 0.5,
        "kv_bits": chance.choice([8, 16]),
        "block_size": chance.choice([16, 32, 64, 128, 256]),
        "layers": _layers(chance),
        "override": chance.choice([None, None, None, 128, 5000]),
        "hbm": chance.randrange(1, 33) * 2**30 + chance.randrange(2**20),
        "utilization": round(chance.uniform(0.3, 1.0), chance.choice([1, 2, 3])),
        "resident": chance.randrange(2**28, 12 * 2**30),
        "experts": _experts(chance, chips),
        "count_programs": number % COUNTED == 0,
    }


def warm_ups() -> list[dict[str, Any]]:
    """Returns drafting servers of every size, with a vocabulary small enough for real arrays."""
    chance = random.Random(SEED)
    return [
        {
            **_case(chance, number),
            "max_num_seqs": seqs,
            "drafts": drafts,
            "chips": chips,
            "vocabulary": 64,
        }
        for number, (seqs, drafts, chips) in enumerate(
            itertools.product((1, 8, 12, 32, 100, 256), (1, 3, 4), (1, 2, 4))
        )
    ]


def _layers(chance: random.Random) -> list[tuple[int, int]]:
    sliding = (chance.choice([1, 2, 4, 8, 16]), chance.choice([64, 128, 256]))
    full = (chance.choice([1, 2, 4, 8]), chance.choice([64, 128, 256, 512]))
    return [full if layer % 6 == 5 else sliding for layer in range(chance.randrange(1, 61))]


def _experts(chance: random.Random, chips: int) -> dict[str, Any] | None:
    if chance.random() < 0.5:
        return None
    requantize = chance.random() < 0.5
    return {
        "count": chance.choice([8, 32, 128]),
        "intermediate": chance.choice([64, 704, 768, 1000, 1408]),
        "hidden": chance.choice([128, 2816, 4096]),
        "whole": chips > 1 and chance.random() < 0.4,
        "requantize": requantize,
        "block": chance.choice([None, None, 32, 64, 128, 256]) if requantize else None,
    }


@cache
def python() -> Path:
    """Returns the server's Python; skips the test, by name, where its environment is not installed."""
    executable = image.environment() / "bin" / "python"
    if not executable.exists():
        pytest.skip(f"the model server's environment is not installed at {image.environment()}")
    return executable


def run(
    script: Path,
    *arguments: Path,
    stdin: str = "",
    variables: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Returns the last line that a script of this folder prints in the server's Python.

    `variables` are set beside the ones that every script gets, and replace them.
    """
    environment = {
        **{name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ},
        "HOME": "/tmp",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(paths.REPOSITORY),
        "VLLM_LOGGING_LEVEL": "ERROR",
        "VLLM_PLUGINS": "",
        **variables,
    }
    done = subprocess.run(
        [python(), script, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=600,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()[-1]


def ask(work: dict[str, Any]) -> dict[str, Any]:
    """Returns all answers from one process of the server's Python."""
    script = Path(__file__).parent / "programs" / "oracle_server.py"
    done = subprocess.run(
        [python(), script],
        input=json.dumps(work),
        capture_output=True,
        text=True,
        timeout=600,
        env={name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    # Libraries print notices to stdout at import; the answer is the last line.
    return json.loads(done.stdout.splitlines()[-1])
