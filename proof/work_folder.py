"""The work folder of one proof: one file for each compiled program, so that a killed run can continue.

<work>/<graph digest>-<digest of versions and config.json>/
    0007.json      a finished program, written under another name and then renamed
    cache/         JAX's compile cache for the slice
    checkpoint/    the model's folder without weights
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from proof.environment import ProofError
from serving.compilation.proof import Program

NEEDED_BYTES = 2 * 10**9
"""Free bytes that a proof needs. Records and cache of the largest phase take some hundred MB; the rest is
for the compiler's temporary files."""


class Record(BaseModel):
    """Result of one request: a program with its key in JAX's compile cache, or the compiler's error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    kind: str
    shape: str
    key: str = ""
    program: Program | None = None
    refused: str = ""


class WorkFolder:
    """Records of one proof, on disk. Raises ProofError when the disk is full."""

    def __init__(self, work: Path, graph: str, decides: Mapping[str, object]) -> None:
        text = json.dumps(decides, sort_keys=True)
        self._read: dict[str, Record] = {}
        self.path = work / f"{graph}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
        with _disk(work):
            self.cache.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(work).free
        if free < NEEDED_BYTES:
            raise ProofError(
                f"A proof needs {NEEDED_BYTES / 1e9:.0f} GB below {work}, and {free / 1e9:.1f} GB are free: "
                "free space, or name another folder with --work."
            )

    @property
    def cache(self) -> Path:
        """Returns the folder of JAX's compile cache."""
        return self.path / "cache"

    @property
    def checkpoint(self) -> Path:
        """Returns the model's folder."""
        return self.path / "checkpoint"

    def records(self) -> dict[int, Record]:
        """Returns every finished program by its number, without files that are not valid records."""
        for file in self.path.glob("[0-9]*.json"):
            if file.name not in self._read:
                # A run that begins deletes the records of refused programs.
                with contextlib.suppress(ValidationError, FileNotFoundError):
                    self._read[file.name] = Record.model_validate_json(file.read_bytes())
        return {record.number: record for record in self._read.values()}

    def has(self, key: str) -> bool:
        """Returns whether any process has finished a program of that key."""
        return any(record.key == key for record in self.records().values())

    @contextlib.contextmanager
    def claimed(self, number: int) -> Iterator[bool]:
        """Yields whether this process may compile the program: no running process has begun it.

        The kernel releases the lock of a process that ends.
        """
        with _disk(self.path):
            handle = (self.path / f".{number:04d}.lock").open("a")
        with handle:
            unclaimed = True
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                unclaimed = False
            yield unclaimed

    def forget_refusals(self) -> None:
        """Deletes the records of refused programs. The machine may have more memory now."""
        for number, record in self.records().items():
            if record.refused:
                self.forget(number)

    def forget(self, number: int) -> None:
        """Deletes the record of a program, so that it is compiled again."""
        file = self.path / f"{number:04d}.json"
        self._read.pop(file.name, None)
        file.unlink(missing_ok=True)

    def add(self, record: Record) -> None:
        """Writes one record, whole or not at all."""
        file = self.path / f"{record.number:04d}.json"
        with _disk(self.path):
            write_whole(file, record.model_dump_json())


def write_whole(file: Path, text: str) -> None:
    """Writes a file under another name and renames it, so that no reader sees a part of it."""
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        unfinished.write_text(text, "utf-8")
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or str(error)).lower()
        raise ProofError(
            f"{folder} cannot be written ({reason}): free space or name another folder with --work. Finished "
            "programs stay there, and the same command continues from them."
        ) from None
