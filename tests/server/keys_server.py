"""Runs in the model server's own Python: the cache keys of all programs of an engine, without compiling any.

`keys_server.py ENGINE_JSON MODEL`: the engine's fields and a model's folder. On JAX's CPU backend with four
devices, where a real server's keys can be had to compare with.
"""

import json
import os
import sys
from pathlib import Path

from proof import boot, compiling, environment
from serving.accelerators import accelerator
from serving.engine import parse


def main() -> None:
    engine, model = parse(json.loads(sys.argv[1])), Path(sys.argv[2])
    os.environ.update(engine.environment())
    os.environ.update(environment.flags(os.environ, chips=False))
    os.environ.update(VLLM_ENABLE_V1_MULTIPROCESSING="0", NUM_PRECOMPILE_WORKERS="1")
    sys.setrecursionlimit(20_000)
    import jax
    import tpu_inference  # noqa: F401

    booted = boot.boot(engine, model, accelerator("local-v6e-4"), jax.devices("cpu")[:4])
    keys = {
        f"{request.number} {request.kind} {request.shape}": compiling.key_of(booted, request)
        for request in booted.requests
    }
    print("\n" + json.dumps(keys))


main()
