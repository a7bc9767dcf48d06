"""Runs in the model server's own Python: the cache keys of all programs of engines, without compiling any.

`keys_server.py ENGINES_JSON MODEL`: a list of engines' fields and a model's folder. It uses JAX's CPU backend
with four devices, where a real server's keys are available for comparison. The environment is the first
engine's.
"""

import json
import os
import sys
from pathlib import Path

from proof import compile_programs, engine_boot, environment
from serving.engine.config import parse
from serving.hardware.accelerators import accelerator


def main() -> None:
    engines, model = [parse(fields) for fields in json.loads(sys.argv[1])], Path(sys.argv[2])
    os.environ.update(engines[0].environment())
    os.environ.update(environment.flags(os.environ, chips=False))
    os.environ.update(VLLM_ENABLE_V1_MULTIPROCESSING="0", NUM_PRECOMPILE_WORKERS="1")
    sys.setrecursionlimit(20_000)
    import jax
    import tpu_inference  # noqa: F401

    answers = []
    for engine in engines:
        booted = engine_boot.boot(engine, model, accelerator("local-v6e-4"), jax.devices("cpu")[:4])
        names = [f"{request.number} {request.kind} {request.shape}" for request in booted.requests]
        keys = [compile_programs.key_of(booted, request) for request in booted.requests]
        answers.append(dict(zip(names, keys, strict=True)))
    print("\n" + json.dumps(answers))


main()
