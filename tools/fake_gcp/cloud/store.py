"""Memory of the fake Google Cloud: one JSON file for each project, in the folder TPUSERVE_STANDIN_STATE."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VARIABLE = "TPUSERVE_STANDIN_STATE"
FRESH_SERVICES = (
    # APIs that a new project has enabled: https://cloud.google.com/service-usage/docs/enabled-service#default
    "bigquery",
    "bigquerymigration",
    "bigquerystorage",
    "cloudapis",
    "cloudtrace",
    "datastore",
    "logging",
    "monitoring",
    "servicemanagement",
    "serviceusage",
    "sql-component",
    "storage-api",
    "storage-component",
    "storage",
)


def folder() -> Path:
    """Returns the folder of the fake Google Cloud. Raises ValueError when the variable is not set."""
    place = os.environ.get(VARIABLE)
    if not place:
        raise ValueError(
            f"The fake Google Cloud stores its resources in a folder: set {VARIABLE} to one, or use "
            "a PULUMI_HOME in which the real gcp provider is installed."
        )
    return Path(place)


def write(path: Path, value: Any) -> None:
    """Replace a JSON file in one step: a reader sees the old text or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    draft.write_text(json.dumps(value, indent=1, sort_keys=True), encoding="utf-8")
    draft.replace(path)


def read(path: Path, default: Any) -> Any:
    """Returns a JSON file's value, or the default when there is no such file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return default


def fresh() -> dict[str, Any]:
    """Returns a new project."""
    return {"objects": {}, "services": [f"{name}.googleapis.com" for name in FRESH_SERVICES], "used": {}}


@contextlib.contextmanager
def project(name: str, place: Path | None = None) -> Iterator[dict[str, Any]]:
    """Yields one project's memory, locked against other processes; writes it back unless the block raises."""
    place = place or folder()
    place.mkdir(parents=True, exist_ok=True)
    with (place / f"{name}.lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        file = place / f"project-{name}.json"
        memory = read(file, None) or fresh()
        before = json.dumps(memory, sort_keys=True)
        yield memory
        if json.dumps(memory, sort_keys=True) != before:
            write(file, memory)
