"""The compile cache of a release: restored from its archive before the server starts, published once after.

Whatever goes wrong is a miss, no failure. The archive is a .tar.zst of JAX's folder; its name has the
fingerprint. A disk may outlive its release: a note beside the folder tells which archive it belongs to.
"""

import shutil
import subprocess
import zlib
from collections.abc import Sequence
from pathlib import Path

from agent.vm import atomic_file, gcp_api, gcs
from agent.vm.gcp_api import Problem, Status

PRECONDITION_FAILED = 412
ZSTANDARD, ZLIB = b"\x28\xb5\x2f\xfd", b"\x78"
"""How their files begin (RFC 8878, RFC 1950)."""
OWNER, TRIAL = ".owner", ".baked"
"""Notes beside the folder: the name of its archive, and agent/vm/baked_cache_trial.py's about the programs in
it."""
ROOM = 2
"""So many times the folder's size must be free: the archive is about as large, and the server writes on."""


def restore(bucket: str, name: str, folder: Path) -> str:
    """Fill `folder` from gs://`bucket`/`name` (a .tar.zst) unless it holds programs; says what it did.

    Programs of another release are deleted first, and what was noted about them.
    """
    try:
        claim(name, folder)
    except OSError as error:
        return f"not restored ({error}): this boot compiles"
    return fill(bucket, name, folder)


def claim(name: str, folder: Path) -> None:
    """Have a folder that belongs to the archive `name`, with all that it held if it did so before.

    Its new owner is noted last: cut off before, the next boot finds the old one, and begins again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if _owner(folder) != name:
        empty(folder)
        folder.with_name(TRIAL).unlink(missing_ok=True)
        atomic_file.write(folder.with_name(OWNER), name)


def _owner(folder: Path) -> str:
    """What is noted; nothing where there is no note, or one that a power cut has damaged."""
    try:
        return folder.with_name(OWNER).read_text()
    except (OSError, ValueError):
        return ""


def empty(folder: Path) -> None:
    """Delete everything in `folder`."""
    for file in folder.iterdir():
        shutil.rmtree(file) if file.is_dir() else file.unlink()


def fill(bucket: str, name: str, folder: Path) -> str:
    """As `restore`, into a folder that may belong to another archive."""
    if holds_programs(folder):
        return f"kept, {sum(1 for _ in folder.iterdir())} files"
    archive, unpacked = folder.with_name(".archive"), folder.with_name(".unpacked")
    try:
        found = [item for item in gcs.objects(bucket, name) if item.name == name]
        if not found:
            return f"none in gs://{bucket}/{name}: this boot compiles"
        archive.unlink(missing_ok=True)
        gcs.download([(found[0], archive)])
        shutil.rmtree(unpacked, ignore_errors=True)
        unpacked.mkdir()
        _unpack(archive, unpacked)
        atomic_file.sync_tree(unpacked)
        shutil.rmtree(folder, ignore_errors=True)
        unpacked.rename(folder)
        return f"restored, {sum(1 for _ in folder.iterdir())} files"
    except (Problem, Status, OSError) as error:
        return f"not restored ({error}): this boot compiles"
    finally:
        archive.unlink(missing_ok=True)
        shutil.rmtree(unpacked, ignore_errors=True)
        # The server needs the folder, with or without programs in it.
        folder.mkdir(exist_ok=True)


def delete_broken(folder: Path) -> str | None:
    """Deletes the files that a killed server has written in part, and reports their number.

    Call it while no server runs. JAX writes a program's file in place, and never writes an existing file
    again (jax/_src/lru_cache.py, `put`): each boot would compile that program, and other machines would get
    the broken file.
    """
    broken = [file for file in folder.glob("*-cache") if not _whole(file)]
    for file in broken:
        file.unlink()
    return f"{len(broken)} half-written programs deleted: this start compiles them" if broken else None


def _whole(file: Path) -> bool:
    """Returns whether a file of JAX's, compressed with zstandard or zlib, is whole."""
    data = file.read_bytes()
    if ZSTANDARD.startswith(data[: len(ZSTANDARD)]):
        return subprocess.run(["zstd", "--quiet", "--test", file], capture_output=True).returncode == 0
    if data.startswith(ZLIB):
        unpacked = zlib.decompressobj()
        try:
            unpacked.decompress(data)
        except zlib.error:
            return False
        return unpacked.eof
    # Another format would be a later JAX's.
    return True


def holds_programs(folder: Path) -> bool:
    """Whether the server would find anything in its cache."""
    return folder.is_dir() and any(folder.iterdir())


def publish(bucket: str, name: str, folder: Path) -> str:
    """Keep `folder` as gs://`bucket`/`name` unless somebody has; says what it did. Call it on a warm server.

    The object is there whole or not at all, and is never replaced: of two publishers, the second is told.
    """
    archive = folder.with_name(".publish")
    if _owner(folder) not in ("", name):
        return "not published: the cache is of another release"
    try:
        if any(item.name == name for item in gcs.objects(bucket, name)):
            return "published before"
        files = _entries(folder)
        if not files:
            return "nothing to publish: the server keeps no compile cache"
        # Filled up, the disk would also fail the server.
        if sum(size for size, _ in files.values()) * ROOM > shutil.disk_usage(folder).free:
            return "not published: the disk has no room for the archive"
        _pack(archive, folder)
        if _entries(folder) != files:
            return "not published: the server was compiling; the next boot does it"
        gcs.create(bucket, name, archive)
        return f"published, {len(files)} files, {archive.stat().st_size / 1e9:.2f} GB"
    except Status as error:
        return _unpublished(error, bucket)
    except (Problem, OSError) as error:
        return f"not published ({error})"
    finally:
        archive.unlink(missing_ok=True)


def _unpublished(error: Status, bucket: str) -> str:
    if error.code == PRECONDITION_FAILED:
        return "published meanwhile by another machine"
    if error.code in (401, 403):
        return (
            f"not published ({error}): grant {gcp_api.account()} roles/storage.objectCreator on "
            f"gs://{bucket} below xla/"
        )
    return f"not published ({error})"


def _entries(folder: Path) -> dict[str, tuple[int, int]]:
    """Name -> size and time of each file: equal twice, nothing was written between."""
    if not folder.is_dir():
        return {}
    status = {path.name: path.stat() for path in folder.iterdir()}
    return {name: (found.st_size, found.st_mtime_ns) for name, found in status.items()}


def _pack(archive: Path, folder: Path) -> None:
    _tar("cannot be packed", "--create", "--sort=name", archive=archive, folder=folder, members=["."])


def _unpack(archive: Path, folder: Path) -> None:
    _tar("the archive is damaged", "--extract", "--no-same-owner", archive=archive, folder=folder)


def _tar(complaint: str, *options: str, archive: Path, folder: Path, members: Sequence[str] = ()) -> None:
    command = ["tar", *options, "--zstd", f"--file={archive}", f"--directory={folder}", *members]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["tar gave no reason"]
        raise Problem(f"{complaint}: {lines[0]}")
