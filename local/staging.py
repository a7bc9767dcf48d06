"""Folders that are filled under another name, and take their own when they are whole."""

import os
import shutil
from pathlib import Path


def folder(target: Path, kind: str = "unfinished") -> Path:
    """Where this process fills `target`, not made yet; what dead ones left of that kind beside it is removed.

    Call it with the lock held that guards the kind: then whatever has such a name is a dead process's. A
    child of that process may still be writing there, so the name is this process's own.
    """
    for left in target.parent.glob(f"*{kind}*"):
        shutil.rmtree(left, ignore_errors=True)
    return target.with_name(f".{kind}.{os.getpid()}")
