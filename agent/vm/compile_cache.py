"""The compile cache of a release: restored from its archive before the server starts, published once after.

An error counts as a miss and does not fail the boot. The archive is a .tar.zst of JAX's folder; its name has
the fingerprint. A disk may outlive its release: a file beside the folder has the name of the folder's
archive.
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
"""First bytes of zstandard and zlib files (RFC 8878, RFC 1950)."""
OWNER, TRIAL = ".owner", ".baked"
"""Files beside the folder: the name of its archive, and the state of agent/vm/baked_cache_trial.py."""
ROOM = 2
"""Free space that an upload needs, in multiples of the folder's size: the archive is about as large as the
folder, and the server still writes."""


def restore(bucket: str, name: str, folder: Path) -> str:
    """Fills `folder` from gs://`bucket`/`name` (a .tar.zst) unless it has programs, and reports the result.

    Programs of another release are deleted first, with the state of their trial.
    """
    try:
        claim(name, folder)
    except OSError as error:
        return f"not restored ({error}): this boot compiles"
    return fill(bucket, name, folder)


def claim(name: str, folder: Path) -> None:
    """Makes `folder` that of the archive `name`, and empties it if it was another archive's.

    The new owner is written last: after an interruption, the next boot finds the old owner and starts again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if _owner(folder) != name:
        empty(folder)
        folder.with_name(TRIAL).unlink(missing_ok=True)
        atomic_file.write(folder.with_name(OWNER), name)


def _owner(folder: Path) -> str:
    """Returns the folder's archive; empty without a file, or if a power cut has damaged it."""
    try:
        return folder.with_name(OWNER).read_text()
    except (OSError, ValueError):
        return ""


def empty(folder: Path) -> None:
    """Deletes everything in `folder`."""
    for file in folder.iterdir():
        shutil.rmtree(file) if file.is_dir() else file.unlink()


def fill(bucket: str, name: str, folder: Path) -> str:
    """Fills `folder` as `restore` does; the folder may belong to another archive."""
    if holds_programs(folder):
        return f"kept, {sum(1 for _ in folder.iterdir())} files"
    archive, unpacked = folder.with_name(".archive"), folder.with_name(".unpacked")
    try:
        archives = [item for item in gcs.objects(bucket, name) if item.name == name]
        if not archives:
            return f"none in gs://{bucket}/{name}: this boot compiles"
        archive.unlink(missing_ok=True)
        gcs.download([(archives[0], archive)])
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
    # A later JAX may use another format.
    return True


def holds_programs(folder: Path) -> bool:
    """Returns whether `folder` has any program."""
    return folder.is_dir() and any(folder.iterdir())


def publish(bucket: str, name: str, folder: Path) -> str:
    """Uploads `folder` as gs://`bucket`/`name` unless that exists, and reports the result. Call it on a warm
    server.

    The object appears whole or not at all, and is never replaced: of two machines, the second gets an error.
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
        # A full disk would also fail the server.
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
    """Returns size and time of each file by name. Two equal results mean that nothing was written between."""
    if not folder.is_dir():
        return {}
    status = {path.name: path.stat() for path in folder.iterdir()}
    return {name: (each.st_size, each.st_mtime_ns) for name, each in status.items()}


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
