"""Arguments of a restore and a publication, and their results as files."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from agent.store import atomic_file

RESTORE_FILE, PUBLISH_FILE = "cache-restore.json", "cache-publish.json"
"""Files in a server's status folder."""
TRIAL_FILE = "cache-trial.json"
"""File in a server's status folder with the `sentence` with which a baked cache's trial ended."""


@dataclass(frozen=True)
class Store:
    """Place of a release's archives in a bucket.

    `archive` is the name of the release's own one, and `sha256` what it must have, None for any. `baked` is
    the name of a baked one, None unless the stack tries it. `publish` is False for a server that may only
    read.
    """

    bucket: str
    archive: str
    sha256: str | None = None
    baked: str | None = None
    publish: bool = True

    @staticmethod
    def read(fields: dict[str, Any] | None) -> "Store | None":
        """Returns the store of the sidecar's settings, None for a server without one. Raises KeyError and
        TypeError for other fields."""
        if fields is None:
            return None
        return Store(**{name: fields[name] for name in ("bucket", "archive", "sha256", "baked", "publish")})


@dataclass(frozen=True)
class Restored:
    """Result of a restore.

    restored: from `archive`; kept: the folder has programs; none: there is no archive; failed: there may be
    one, and this boot compiles. `sha256` is of the archive with the folder's programs, None where none is
    known.
    """

    result: Literal["restored", "kept", "none", "failed"]
    sentence: str
    archive: str | None = None
    sha256: str | None = None
    programs: int = 0
    seconds: float = 0

    def write(self, status_folder: Path) -> None:
        """Writes cache-restore.json. Raises OSError."""
        atomic_file.write(status_folder / RESTORE_FILE, json.dumps(asdict(self)) + "\n")


@dataclass(frozen=True)
class Published:
    """Result of a publication.

    published: now; before: the archive exists; skipped: this cache is not to be published; busy: a program
    was compiled meanwhile; failed: the bucket did not take it. `sha256` is None unless the folder's programs
    are the archive's: restored from it, or published by this server. A server that compiled its programs does
    not know who made an archive that exists, so it names no sum of it.
    """

    result: Literal["published", "before", "skipped", "busy", "failed"]
    sentence: str
    archive: str
    sha256: str | None = None
    programs: int = 0
    bytes: int = 0
    seconds: float = 0

    def write(self, status_folder: Path) -> None:
        """Writes cache-publish.json. Raises OSError."""
        atomic_file.write(status_folder / PUBLISH_FILE, json.dumps(asdict(self)) + "\n")
