"""The files in JAX's folder, one for each program, and whether they are whole."""

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

SUFFIX = "-cache"
"""End of the names of JAX's programs (jax/_src/lru_cache.py, `_CACHE_SUFFIX`)."""
ZSTANDARD, ZLIB = b"\x28\xb5\x2f\xfd", b"\x78"
"""First bytes of zstandard and zlib files (RFC 8878, RFC 1950)."""
BLOCK_BYTES = 2**16
"""Bytes that are unpacked at once: at most a thousand times as many in memory."""


def programs(folder: Path) -> list[Path]:
    """Returns the programs of `folder`, by name; none where there is no folder."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def snapshot(folder: Path) -> Mapping[Path, tuple[int, int]]:
    """Returns size and time of each program. Two equal results mean that nothing was written between."""
    status = {file: file.stat() for file in programs(folder)}
    return {file: (each.st_size, each.st_mtime_ns) for file, each in status.items()}


def delete_broken(folder: Path) -> str | None:
    """Deletes the files that a killed server has written in part, and reports their number.

    Call it while no server runs. JAX writes a program's file in place, and never writes an existing file
    again (jax/_src/lru_cache.py, `put`): each boot would compile that program, and other machines would get
    the broken file.
    """
    broken = [file for file in programs(folder) if not whole(file)]
    for file in broken:
        file.unlink()
    return f"{len(broken)} half-written programs deleted: this start compiles them" if broken else None


def whole(file: Path) -> bool:
    """Returns whether a file of JAX's, compressed with zstandard or zlib, is whole."""
    with file.open("rb") as data:
        begins = data.read(len(ZSTANDARD))
        if ZSTANDARD.startswith(begins):
            return begins == ZSTANDARD and _ends_with_its_frame(data, file.stat().st_size)
        if begins.startswith(ZLIB):
            return _ends_with_its_stream(data)
    # A later JAX may use another format.
    return True


def _ends_with_its_frame(data: BinaryIO, size: int) -> bool:
    """Returns whether a file of `size` bytes ends with its zstandard frame, whose magic number has been read.

    Walks from block to block without unpacking them (RFC 8878, sections 3.1.1.1 and 3.1.1.2).
    """
    descriptor = data.read(1)
    if not descriptor:
        return False
    single_segment, checksum = bool(descriptor[0] & 0x20), bool(descriptor[0] & 0x04)
    window = 0 if single_segment else 1
    dictionary = (0, 1, 2, 4)[descriptor[0] & 0x03]
    content_size = (1 if single_segment else 0, 2, 4, 8)[descriptor[0] >> 6]
    data.seek(window + dictionary + content_size, 1)
    while True:
        header = data.read(3)
        if len(header) < 3:
            return False
        number = int.from_bytes(header, "little")
        last, kind, length = number & 1, number >> 1 & 3, number >> 3
        if kind == 3:
            return False
        # A block of kind 1 is one byte that is repeated.
        data.seek(1 if kind == 1 else length, 1)
        if last:
            return data.tell() + (4 if checksum else 0) == size


def _ends_with_its_stream(data: BinaryIO) -> bool:
    """Returns whether a file ends with its zlib stream, whose sum is right."""
    data.seek(0)
    unpacked = zlib.decompressobj()
    try:
        while block := data.read(BLOCK_BYTES):
            unpacked.decompress(block)
    except zlib.error:
        return False
    return unpacked.eof and not unpacked.unused_data
