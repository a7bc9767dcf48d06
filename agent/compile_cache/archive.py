"""The archive of a compile cache: an uncompressed tar of JAX's programs, which are compressed already.

Its first member is `manifest.json`: format, fingerprint, SHA-256 of each program, and whether it is baked.
"""

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, cast

from agent.compile_cache.entries import SUFFIX
from agent.store.gcp_api import Problem

FORMAT = 1
MANIFEST = "manifest.json"
MANIFEST_BYTES = 2**24
BLOCK_BYTES = 2**22
_NAME = re.compile(rf"[^/.\0][^/\0]*{SUFFIX}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Manifest:
    """First member of an archive. `entries` has the SHA-256 of each file, in hexadecimal."""

    fingerprint: str
    baked: bool
    entries: dict[str, str]


def fingerprint(name: str) -> str:
    """Returns the fingerprint in the name of an archive: xla/<fingerprint>.tar or .baked.tar."""
    return PurePosixPath(name).name.partition(".")[0]


def sha256(file: Path) -> str:
    """Returns the SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with file.open("rb") as data:
        while block := data.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def pack(archive: Path, files: Sequence[Path], fingerprint: str) -> None:
    """Writes `files` into `archive`. Raises OSError, also when a file becomes shorter meanwhile."""
    entries = {file.name: sha256(file) for file in files}
    manifest = {"format": FORMAT, "fingerprint": fingerprint, "entries": entries, "baked": False}
    text = json.dumps(manifest).encode()
    with tarfile.open(archive, "w") as tar:
        about = tarfile.TarInfo(MANIFEST)
        about.size = len(text)
        tar.addfile(about, io.BytesIO(text))
        for file in files:
            about = tarfile.TarInfo(file.name)
            about.size = file.stat().st_size
            with file.open("rb") as data:
                tar.addfile(about, data)


def unpack(archive: Path, folder: Path) -> Manifest:
    """Writes the programs of `archive` into the empty `folder`, and returns the manifest.

    Raises Problem unless the archive holds exactly the files of its manifest, each with its SHA-256, and
    OSError when the disk does not take them.
    """
    try:
        with tarfile.open(archive, "r:") as tar:
            manifest = _manifest(tar)
            missing = dict(manifest.entries)
            while member := tar.next():
                digest = missing.pop(member.name, None)
                if digest is None:
                    raise Problem(f"it holds {member.name!r}, which is not in its manifest or is there twice")
                if _write(tar, member, folder / member.name) != digest:
                    raise Problem(f"{member.name} has another SHA-256 than its manifest says")
    except Problem as problem:
        raise Problem(f"the archive is damaged: {problem}") from None
    # The last four: a header that makes no sense can raise any of them in Python's tarfile.
    except (tarfile.TarError, EOFError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise Problem(f"the archive is damaged: {error}") from None
    if missing:
        raise Problem(f"the archive is damaged: {min(missing)} is missing")
    return manifest


def _manifest(tar: tarfile.TarFile) -> Manifest:
    member = tar.next()
    if member is None or member.name != MANIFEST or member.size > MANIFEST_BYTES:
        raise Problem(f"it does not begin with {MANIFEST}")
    document: Any = json.loads(_contents(tar, member).read())
    if not isinstance(document, dict):
        raise Problem(f"{MANIFEST} is no object")
    fields = cast(dict[str, Any], document)
    if fields.get("format") != FORMAT:
        raise Problem(f"{MANIFEST} has format {fields.get('format')!r}, not {FORMAT}")
    name, baked, entries = (fields.get(key) for key in ("fingerprint", "baked", "entries"))
    if not isinstance(name, str) or not isinstance(baked, bool) or not isinstance(entries, dict):
        raise Problem(f"{MANIFEST} lacks fingerprint, baked or entries")
    for file, digest in cast(dict[str, Any], entries).items():
        if not _NAME.fullmatch(file) or not isinstance(digest, str) or not _SHA256.fullmatch(digest):
            raise Problem(f"{MANIFEST} names {file!r}, which is no program with a SHA-256")
    return Manifest(name, baked, cast(dict[str, str], entries))


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> str:
    """Writes one member and returns its SHA-256."""
    digest = hashlib.sha256()
    with _contents(tar, member) as data, target.open("xb") as file:
        while block := data.read(BLOCK_BYTES):
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def _contents(tar: tarfile.TarFile, member: tarfile.TarInfo) -> io.BufferedReader:
    # A link would lead elsewhere, and a sparse file could fill the disk.
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
        raise Problem(f"{member.name!r} is no plain file")
    return cast(io.BufferedReader, tar.extractfile(member))
