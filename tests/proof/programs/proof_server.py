"""Runs in the model server's own Python: boots an engine over shapes, compiles nothing, prints the results.

`proof_server.py MODEL_JSON ENGINE_JSON FILES FOLDER`: the name of a model with the fields of its row that
differ here; the engine's fields; a tokenizer's folder; a work folder. It uses a v6e-4.
"""

import collections
import dataclasses
import json
import sys
from pathlib import Path

from proof import (
    checkpoint,
    compile_programs,
    engine_boot,
    environment,
    patches,
)
from serving.engine.config import parse
from serving.hardware.accelerators import accelerator
from serving.models.catalog import model


def main() -> None:
    changes, engine, files, folder = (
        json.loads(sys.argv[1]),
        json.loads(sys.argv[2]),
        *map(Path, sys.argv[3:]),
    )
    slice_ = accelerator("v6e-4")
    spec, engine = dataclasses.replace(model(changes["name"]), **changes), parse(engine)
    checkpoint.write(checkpoint.configuration(spec, files, None), files, folder / "checkpoint")
    environment.prepare(engine.environment(), slice_, folder / "cache")
    patches.name_the_chip(slice_)
    import tpu_inference  # noqa: F401

    booted = engine_boot.boot(engine, folder / "checkpoint", slice_, engine_boot.slice_devices(slice_))
    answer = {
        "weights": booted.weights,
        "pages": booted.pages,
        "kv_bytes": booted.kv_bytes,
        "tokens": list(booted.runner.num_tokens_paddings),
        "requests": list(booted.runner.num_reqs_paddings),
        "attention": list(booted.runner.attn_num_reqs_paddings),
        "logits": list(booted.runner.num_logits_paddings or ()),
        "programs": dict(collections.Counter(request.kind for request in booted.requests)),
        "held": {calls.kind: calls.held_bytes for calls in compile_programs.calls(booted, [])},
    }
    # Libraries print to stdout; the answer is the last line.
    print("\n" + json.dumps(answer))


main()
