"""A baked compile cache, made without a TPU: taken on trial, and dropped when the server does not survive it.

That a chip loads programs which a compiler without chips has written is not known. A program that does not
load is compiled, by JAX itself; what ends or hangs the server, this module answers: it notes beside the cache
that the trial began, and a start that finds such a note has the cache emptied and compiles.

    .baked     new: restored; tried: a server has started on it; dropped: never again on this disk
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

from agent.boot import cache

MANIFEST = "manifest.json"
_COUNTS = re.compile(r"compile cache: (\d+) hits, (\d+) misses of \d+ programs")


def restore(bucket: str, own: str, name: str, folder: Path) -> str:
    """Fill `folder` from gs://`bucket`/`own`, which a server has published, else from `name`, which is baked;
    says what it did. A trial that never became a serving server ends here, too."""
    dropped = drop(folder) if _state(folder) == "tried" else None
    said = cache.restore(bucket, own, folder)
    if dropped:
        return f"{dropped}; {said}"
    if cache.holds_programs(folder) or _state(folder) == "dropped":
        return said
    said = cache.restore(bucket, name, folder)
    if not cache.holds_programs(folder):
        return said
    programs = _baked(folder)
    if not programs:
        _empty(folder)
        return f"gs://{bucket}/{name} has no manifest of `make bake`: this boot compiles"
    _note(folder, "new")
    return f"baked, {len(programs)} programs, not yet tried"


def start(folder: Path) -> str | None:
    """Call before each start of the server; what to report, if anything."""
    state = _state(folder)
    if state == "new":
        _note(folder, "tried")
    return f"{drop(folder)}; this start compiles" if state == "tried" else None


def ready(folder: Path, unit: str) -> str | None:
    """Call when the server answers. Ends the trial, and says how many of the programs were of use; those of a
    cache of which none was are deleted, so that nobody publishes them."""
    if _state(folder) != "tried":
        return None
    marker(folder).unlink()
    command = ["journalctl", "--unit", unit, "--output", "cat", "--lines", "5000", "--no-pager"]
    log = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    counts = _COUNTS.findall(log)
    if not counts:
        return "baked; the server's log does not say how many programs it found"
    hits, misses = counts[-1]
    if hits == "0":
        for program in _baked(folder):
            (folder / f"{program}-cache").unlink(missing_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    return f"baked, {hits} programs found and {misses} compiled"


def drop(folder: Path) -> str:
    """Empty the cache, and never restore a baked one on this disk again."""
    _note(folder, "dropped")
    _empty(folder)
    return "baked cache dropped: the server ended before it was ready"


def marker(folder: Path) -> Path:
    """The file that tells where the trial of `folder`'s programs stands."""
    return folder.with_name(".baked")


def _state(folder: Path) -> str:
    file = marker(folder)
    return file.read_text().strip() if file.exists() else ""


def _note(folder: Path, state: str) -> None:
    partial = marker(folder).with_suffix(".partial")
    partial.write_text(state + "\n")
    partial.replace(marker(folder))


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()


def _baked(folder: Path) -> list[str]:
    """The programs that the archive's manifest lists."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        return list(manifest["programs"]) if manifest["baked"] else []
    except (OSError, ValueError, KeyError, TypeError):
        return []
