"""Files that a power cut leaves as they were or as they are to be, never empty or in part."""

import os
from pathlib import Path


def write(file: Path, text: str) -> None:
    """Replace `file` by one that holds `text`."""
    partial = file.with_name(f"{file.name}.partial")
    with partial.open("w", encoding="utf-8") as data:
        data.write(text)
        data.flush()
        os.fsync(data.fileno())
    partial.replace(file)
    sync(file.parent)


def sync_tree(folder: Path) -> None:
    """Have all of `folder` on the disk, so that it may be renamed into its place."""
    for path in (*folder.rglob("*"), folder):
        if not path.is_symlink():
            sync(path)


def sync(path: Path) -> None:
    """Have one file, or the names in one folder, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
