"""Results of the server's sidecar, read outside of its container: its verdict, and those on the compile
cache."""

import json
import time
from pathlib import Path
from typing import Any, cast

from agent.compile_cache.records import PUBLISH_FILE, TRIAL_FILE

VERDICT_FILE = "acceptance.json"
"""Verdict in the status folder (agent/sidecar/verdict.py)."""

POLL_SECONDS = 2.0


def rejection(status_folder: Path) -> str:
    """Returns the sentence of a verdict that rejects the server; empty for any other verdict and for none."""
    verdict = _read(status_folder / VERDICT_FILE)
    return str(verdict["sentence"]) if verdict.get("state") == "rejected" else ""


def verdict(status_folder: Path) -> str:
    """Returns the sentence of the verdict, whatever it is so far."""
    sentence = _read(status_folder / VERDICT_FILE).get("sentence")
    return str(sentence or "the sidecar has given no verdict; see journalctl -u tpuserve-sidecar.")


def publication(status_folder: Path, seconds: float) -> tuple[str, float]:
    """Returns what came of the compile cache's publication, and the seconds that it took.

    Waits at most `seconds` for it.
    """
    end = time.monotonic() + seconds
    while not (published := _read(status_folder / PUBLISH_FILE)):
        if time.monotonic() > end:
            return f"not yet published after {seconds:g} s: see journalctl -u tpuserve-sidecar", seconds
        time.sleep(POLL_SECONDS)
    return str(published["sentence"]), float(published["seconds"])


def trial(status_folder: Path) -> str:
    """Returns what came of the trial of a baked cache; empty without one."""
    return str(_read(status_folder / TRIAL_FILE).get("sentence", ""))


def _read(file: Path) -> dict[str, Any]:
    """Returns a file's JSON object; an empty one when there is none or it is damaged."""
    try:
        content: Any = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return cast(dict[str, Any], content) if isinstance(content, dict) else {}
