"""Status of a boot: one JSON file on the VM, and the same text as a guest attribute.

`gcloud compute instances get-guest-attributes VM --query-path=tpuserve/` shows it from outside the VM.
"""

import contextlib
import fcntl
import json
import urllib.request
from collections.abc import Generator
from http.client import HTTPException
from pathlib import Path
from typing import Any

from agent.store import atomic_file
from agent.store.gcp_api import METADATA

STATUS = Path("/run/tpuserve/status.json")
METRICS = "metrics"
"""Entry of the collector, which runs beside the boot and is no stage of it."""


def begin(release: str) -> None:
    """Starts a new report.

    The collector's note stays: a boot that finds the server running does not start its collector again.
    """
    with _locked():
        earlier: dict[str, Any] = json.loads(STATUS.read_text())["stages"] if STATUS.exists() else {}
        kept = {METRICS: earlier[METRICS]} if METRICS in earlier else {}
        _write({"release": release, "state": "booting", "stages": kept})


def stage(name: str, state: str, seconds: float | None, reason: str | None) -> None:
    """Records that a stage is running, done or failed. The boot is done when its last stage,
    `acceptance`, is."""
    entry = {"state": state, "seconds": seconds, "reason": reason}
    with _changed() as status:
        earlier: dict[str, Any] = {} if state == "running" else status["stages"].get(name, {})
        status["stages"][name] = earlier | {key: value for key, value in entry.items() if value is not None}
        if state == "failed":
            status["state"] = f"failed in {name}: {reason}"
        elif name == "acceptance" and state == "done":
            status["state"] = "serving"


def serving() -> bool:
    """Returns whether the last boot succeeded."""
    return json.loads(STATUS.read_text())["state"] == "serving"


def note(name: str, text: str) -> None:
    """Adds a note to a stage, such as how much it had to download."""
    with _changed() as status:
        status["stages"].setdefault(name, {})["note"] = text


@contextlib.contextmanager
def _changed() -> Generator[dict[str, Any]]:
    """Yields the status, and writes what became of it."""
    with _locked():
        status: dict[str, Any] = json.loads(STATUS.read_text())
        yield status
        _write(status)


@contextlib.contextmanager
def _locked() -> Generator[None]:
    """Has the status for itself.

    The boot and units beside it report at the same time; without the lock, one would undo the other's report.
    """
    with STATUS.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(status: object) -> None:
    text = json.dumps(status, indent=1)
    atomic_file.write(STATUS, text + "\n")
    request = urllib.request.Request(
        f"{METADATA}/guest-attributes/tpuserve/status",
        text.encode(),
        {"Metadata-Flavor": "Google"},
        method="PUT",
    )
    # The organization may have switched guest attributes off; the file and the console still have the status.
    with contextlib.suppress(OSError, HTTPException):
        urllib.request.urlopen(request, timeout=5).close()
