"""`python3 -m agent.compile_cache restore SIDECAR_FILE`, for a pod's init container, exits with 0."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agent.compile_cache.records import Restored, Store
from agent.compile_cache.restore import attempt, restore


def main(words: list[str]) -> None:
    """Run one command. `attempt` is the process that `restore` starts and may kill."""
    match words:
        case ["restore", settings]:
            print(_restore(Path(settings)))
        case ["attempt", store, folder]:
            print(json.dumps(asdict(attempt(Store(**json.loads(store)), Path(folder)))))
        case _:
            sys.exit(f"agent.compile_cache does not know the command {' '.join(words)!r}.")


def _restore(file: Path) -> str:
    """Restores as the sidecar's settings say, writes the result, and returns its sentence."""
    try:
        settings: dict[str, Any] = json.loads(file.read_text("utf-8"))
        store = Store.read(settings["store"])
        folder, status_folder = Path(settings["cache_folder"]), Path(settings["status_folder"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{file} has no settings of a restore ({error!r}): this boot compiles"
    restored = restore(store, folder) if store else Restored("none", "no store: this boot compiles")
    try:
        restored.write(status_folder)
    except OSError as error:
        return f"{restored.sentence}; {status_folder} cannot be written ({error})"
    return restored.sentence


if __name__ == "__main__":
    main(sys.argv[1:])
