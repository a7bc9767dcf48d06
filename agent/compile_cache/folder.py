"""The folder of JAX's compile cache, and the notes beside it.

.owner      the name of the release's own archive: a disk may outlive its release
.source     the archive in the bucket that has the folder's programs: restored, or published
.baked      the state of a baked cache's trial (trial.py)
"""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from agent.compile_cache import entries
from agent.store import atomic_file

OWNER, SOURCE, TRIAL = ".owner", ".source", ".baked"


@dataclass(frozen=True)
class Source:
    """Archive in the bucket with the programs of the folder. `md5` and `sha256` are hexadecimal and of the
    whole archive, `programs` its keys."""

    archive: str
    md5: str
    sha256: str
    programs: list[str]


def claim(name: str, folder: Path) -> None:
    """Makes `folder` that of the archive `name`, and empties it if it was another archive's.

    The new owner is written last: after an interruption, the next boot finds the old owner and starts again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if owner(folder) != name:
        empty(folder)
        folder.with_name(TRIAL).unlink(missing_ok=True)
        atomic_file.write(folder.with_name(OWNER), name)


def owner(folder: Path) -> str:
    """Returns the folder's archive; empty without a file, or if a power cut has damaged it."""
    try:
        return folder.with_name(OWNER).read_text()
    except (OSError, ValueError):
        return ""


def note_source(folder: Path, source: Source) -> None:
    """Records the archive in the bucket that has the folder's programs."""
    atomic_file.write(folder.with_name(SOURCE), json.dumps(asdict(source)))


def source(folder: Path) -> Source | None:
    """Returns the archive in the bucket that has the folder's programs; None if none is known to."""
    try:
        return Source(**json.loads(folder.with_name(SOURCE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def forget_source(folder: Path) -> None:
    """Removes the record of `note_source`."""
    folder.with_name(SOURCE).unlink(missing_ok=True)


def empty(folder: Path) -> None:
    """Deletes everything in `folder`, and the record of its source."""
    for file in folder.iterdir():
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    forget_source(folder)


def holds_programs(folder: Path) -> bool:
    """Returns whether `folder` has any program."""
    return bool(entries.programs(folder))
