"""Restoration of a release's compile cache from its archive, before the server starts.

An error counts as a miss and does not fail the boot. The archive's name has the fingerprint.
"""

import dataclasses
import json
import shutil
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from agent.compile_cache import archive as archives
from agent.compile_cache import entries, trial
from agent.compile_cache import folder as folders
from agent.compile_cache.records import Restored, Store
from agent.store import atomic_file, gcs
from agent.store.gcp_api import Problem, Status

DEADLINE_SECONDS = 120.0
"""Most time that a restore may take, far below the compilation that it saves."""
ROOM = 2
"""Free space that a restore needs, in multiples of the archive: the archive, and its programs."""
WORK = ".restoring"
"""Folder beside the cache with the archive and its programs, until they are complete and checked."""


def restore(store: Store, folder: Path, seconds: float = DEADLINE_SECONDS) -> Restored:
    """Fills `folder` from the store unless it has programs, within `seconds`; returns what it did.

    Programs of another release are deleted first. A process does it that is killed at the deadline: a store
    may hang in many places, and whatever ends that process does not end the boot.
    """
    began = time.monotonic()
    command = [sys.executable, "-m", "agent.compile_cache", "attempt", json.dumps(asdict(store))]
    try:
        done = subprocess.run(
            [*command, str(folder.absolute())],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            timeout=seconds,
            check=False,
        )
        restored = Restored(**json.loads(done.stdout))
    except subprocess.TimeoutExpired:
        restored = _failed(store, f"gs://{store.bucket} took more than {seconds:g} s")
    except (OSError, ValueError, TypeError):
        restored = _failed(store, "its process ended without a result; the log says why")
    try:
        _clean(folder)
    except OSError as error:
        restored = _failed(store, str(error))
    return dataclasses.replace(restored, seconds=round(time.monotonic() - began, 1))


def attempt(store: Store, folder: Path) -> Restored:
    """Restores as `restore` does, in this process and without a deadline."""
    try:
        folders.claim(store.archive, folder)
        source = folders.source(folder)
        if source and store.sha256 not in (None, source.sha256):
            # The disk has what an earlier boot restored without knowing the sum, or with another.
            folders.empty(folder)
        elif folders.holds_programs(folder):
            programs = len(entries.programs(folder))
            digest = source.sha256 if source and source.archive == store.archive else None
            return Restored("kept", f"kept, {programs} programs", store.archive, digest, programs)
        try:
            restored = _own(store, folder)
            if restored.result != "none" or store.baked is None or not trial.allowed(folder):
                return restored
            # Before the first program is there: without this note, a server could start on it untried.
            trial.begin(folder)
            return _fill(store.bucket, store.baked, None, folder, baked=True)
        finally:
            _clean(folder)
    except (Problem, Status, OSError) as error:
        return _failed(store, str(error))


def _own(store: Store, folder: Path) -> Restored:
    """Fills `folder` from the release's own archive. Raises Problem, Status and OSError.

    A server that may not publish runs a recorded release, so only a sum in the record vouches for an archive.
    """
    if not store.publish and store.sha256 is None:
        return Restored("none", "none in the release's record: this boot compiles", store.archive)
    return _fill(store.bucket, store.archive, store.sha256, folder, baked=False)


def _failed(store: Store, why: str) -> Restored:
    return Restored("failed", f"not restored ({why}): this boot compiles", store.archive)


def _fill(bucket: str, name: str, sha256: str | None, folder: Path, *, baked: bool) -> Restored:
    """Fills `folder` from gs://`bucket`/`name`. Raises Problem, Status and OSError."""
    item = gcs.find(bucket, name)
    if item is None:
        return Restored("none", f"none in gs://{bucket}/{name}: this boot compiles", name)
    work = folder.with_name(WORK)
    archive, unpacked = work / "archive", work / "unpacked"
    work.mkdir(exist_ok=True)
    # A killed boot leaves both in any state; parts of a download are checked, and used.
    archive.unlink(missing_ok=True)
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir()
    free = shutil.disk_usage(folder).free
    if item.size * ROOM > free:
        raise Problem(
            f"gs://{bucket}/{name} needs {item.size * ROOM / 1e9:.2f} GB of {folder.parent}, which has "
            f"{free / 1e9:.2f} GB free"
        )
    gcs.download([(item, archive)])
    digest = archives.sha256(archive)
    if sha256 not in (None, digest):
        raise Problem(
            f"gs://{bucket}/{name} is forged or damaged and not used: its SHA-256 is {digest[:8]}…, and the "
            f"release's record says {str(sha256)[:8]}…"
        )
    manifest = archives.unpack(archive, unpacked)
    if (manifest.fingerprint, manifest.baked) != (archives.fingerprint(name), baked):
        kind = "a baked cache" if manifest.baked else "a server's cache"
        raise Problem(f"gs://{bucket}/{name} is {kind} of {manifest.fingerprint} and not used")
    atomic_file.sync_tree(unpacked)
    programs = [file.removesuffix(entries.SUFFIX) for file in sorted(manifest.entries)]
    # Before the programs have their place: a trial needs to know which of them are baked.
    folders.note_source(folder, folders.Source(name, str(item.md5), digest, programs))
    shutil.rmtree(folder)
    unpacked.rename(folder)
    said = f"{len(programs)} programs"
    said = f"baked, {said}, not yet tried" if baked else f"restored, {said}"
    return Restored("restored", said, name, digest, len(programs))


def _clean(folder: Path) -> None:
    """Removes what a restore leaves behind. The server needs the folder, with or without programs."""
    shutil.rmtree(folder.with_name(WORK), ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    if not folders.holds_programs(folder):
        folders.forget_source(folder)
        trial.withdraw(folder)
