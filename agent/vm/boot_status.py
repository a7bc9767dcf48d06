"""Where a boot stands: one JSON file on the VM, and the same text as a guest attribute.

`gcloud compute instances get-guest-attributes VM --query-path=tpuserve/` shows it from outside.
"""

import contextlib
import json
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path

from agent.vm import atomic_file
from agent.vm.gcp_api import METADATA

STATUS = Path("/run/tpuserve/status.json")


def begin(release: str) -> None:
    """Start a new report."""
    _write({"release": release, "state": "booting", "stages": {}})


def stage(name: str, state: str, seconds: float | None, reason: str | None) -> None:
    """Note that a stage is running, done or failed; the last stage done is the boot done."""
    status = json.loads(STATUS.read_text())
    entry = {"state": state, "seconds": seconds, "reason": reason}
    found = {} if state == "running" else status["stages"].get(name, {})
    status["stages"][name] = found | {key: value for key, value in entry.items() if value is not None}
    if state == "failed":
        status["state"] = f"failed in {name}: {reason}"
    elif name == "ready" and state == "done":
        status["state"] = "serving"
    _write(status)


def serving() -> bool:
    """Whether the last boot ended well."""
    return json.loads(STATUS.read_text())["state"] == "serving"


def note(name: str, text: str) -> None:
    """Add what a stage found, such as how much it had to download."""
    status = json.loads(STATUS.read_text())
    status["stages"].setdefault(name, {})["note"] = text
    _write(status)


def _write(status: object) -> None:
    text = json.dumps(status, indent=1)
    atomic_file.write(STATUS, text + "\n")
    request = urllib.request.Request(
        f"{METADATA}/guest-attributes/tpuserve/status",
        text.encode(),
        {"Metadata-Flavor": "Google"},
        method="PUT",
    )
    # Guest attributes may be switched off by the organisation; the file and the console still tell.
    with contextlib.suppress(OSError, HTTPException):
        urllib.request.urlopen(request, timeout=5).close()
