"""`python3 -m agent.load_test SETTINGS`: runs a ladder against a server and prints one JSON event a line."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.load_test import run
from agent.load_test.cell import Cell, Subject, measure
from agent.load_test.counters import Addresses
from agent.load_test.prompts import ModelTokenizer
from agent.load_test.storage import Bucket, Memory
from agent.store.gcp_api import Problem, Status

NO_RETRY = 2
"""Exit code of a failure that another attempt of the Job does not fix."""


def subject(settings: Mapping[str, Any]) -> Subject:
    """Returns the server that the settings name."""
    key = settings["api_key_file"]
    return Subject(
        addresses=Addresses(settings["server"], settings["sidecar_metrics"]),
        model=settings["model"],
        tokenizer_folder=Path(settings["tokenizer"]),
        api_key_file=None if key is None else Path(key),
        program=settings["program"],
    )


def plan(settings: Mapping[str, Any]) -> run.Plan:
    """Returns the ladder that the settings name."""
    return run.Plan(
        release=settings["release"],
        model=settings["model"],
        ladder=settings["ladder"],
        cells=tuple(Cell(**cell) for cell in settings["cells"]),
        baseline=settings["baseline"],
    )


def main() -> int:
    """Returns the exit code; events go to the standard output."""
    settings = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    server, bucket = subject(settings), settings["bucket"]
    storage = Memory() if bucket is None else Bucket(bucket)
    tokenizer = ModelTokenizer(server.tokenizer_folder)
    try:
        for event in run.events(plan(settings), storage, lambda cell: measure(cell, server, tokenizer)):
            print(json.dumps(event), flush=True)
    except (Problem, Status) as problem:
        sentence = f"The results cannot be kept in gs://{bucket}: {problem}"
        print(json.dumps({"event": "problem", "sentence": sentence}), flush=True)
        return NO_RETRY
    return 0


if __name__ == "__main__":
    sys.exit(main())
