"""Runs in the model server's own Python: boots an engine over shapes, compiles nothing, says what it found.

`proof_server.py ENGINE_JSON FILES FOLDER`: the engine's fields, a tokenizer's folder, one to work in. The
26B model at two layers of its true dimensions, on a v6e-4.
"""

import collections
import dataclasses
import json
import sys
from pathlib import Path

from proof import boot, checkpoint, compiling, environment, patches
from serving.accelerators import accelerator
from serving.engine import parse
from serving.models import model


def main() -> None:
    engine, files, folder = parse(json.loads(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3])
    slice_ = accelerator("v6e-4")
    spec = dataclasses.replace(model("gemma-4-26b-a4b-it"), layers=2, full_attention_period=2)
    checkpoint.write(spec, files, None, folder / "checkpoint")
    environment.prepare(engine.environment(), slice_, folder / "cache")
    patches.name_the_chip(slice_)
    import tpu_inference  # noqa: F401

    booted = boot.boot(engine, folder / "checkpoint", slice_, boot.slice_devices(slice_))
    answer = {
        "weights": booted.weights,
        "pages": booted.pages,
        "kv_bytes": booted.kv_bytes,
        "tokens": list(booted.runner.num_tokens_paddings),
        "requests": list(booted.runner.num_reqs_paddings),
        "attention": list(booted.runner.attn_num_reqs_paddings),
        "logits": list(booted.runner.num_logits_paddings or ()),
        "programs": dict(collections.Counter(request.kind for request in booted.requests)),
        "held": {calls.kind: calls.held_bytes for calls in compiling.calls(booted, [])},
    }
    # Libraries print to stdout; the answer is the last line.
    print("\n" + json.dumps(answer))


main()
