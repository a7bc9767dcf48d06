"""The table of bad engines, bad_combinations.yaml, as stack files and as candidates."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from config.selection import candidate_of
from config.settings import Settings
from serving.compilation.candidate import Candidate

TABLE: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("bad_combinations.yaml").read_text("utf-8")
)


def configuration(case: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the stack file of a case, without the prefix of its keys."""
    config = {"target": {"kind": "local"}, "phase": "tuned", "engine": case["overrides"]}
    return config | {
        "accelerator": case.get("accelerator", "v6e-4"),
        "model": case.get("model", "gemma-4-26b-a4b-it"),
    }


def candidate(config: Mapping[str, Any]) -> Candidate:
    """Returns what a stack file describes."""
    return candidate_of(Settings.parse(config))
