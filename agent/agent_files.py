"""Files of the agent: the digest by which a release names them, and their texts where they are installed."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).parents[1]
"""Folder of this agent: the one on PYTHONPATH that holds nothing else."""


def digest(texts: Mapping[str, str]) -> str:
    """Returns 64 hexadecimal digits that change exactly when a path or a text does."""
    hashed = hashlib.sha256()
    for path, text in sorted(texts.items()):
        hashed.update(f"{path}\0{len(text)}\0{text}".encode())
    return hashed.hexdigest()


def installed(folder: Path = FOLDER) -> dict[str, str]:
    """Returns the text of each file by its path below `folder`. Raises OSError and UnicodeDecodeError.

    In a pod the folders are links into a hidden folder of the mounted ConfigMap. Python may have added its
    own caches.
    """
    texts: dict[str, str] = {}
    for here, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith("..") and name != "__pycache__"]
        for name in names:
            file = Path(here, name)
            texts[file.relative_to(folder).as_posix()] = file.read_text("utf-8")
    return texts
