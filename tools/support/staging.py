"""Staging folders: filled under another name, and renamed when they are complete."""

import os
import shutil
from pathlib import Path


def folder(target: Path, kind: str = "unfinished") -> Path:
    """Returns a staging path of this process next to `target`, not created yet, and deletes stale ones of
    that `kind`.

    Call it with the lock held for `kind`: then any existing staging folder belongs to a dead process. A child
    of that process may still be writing there, so the name contains this process's id.
    """
    for stale in target.parent.glob(f"*{kind}*"):
        shutil.rmtree(stale, ignore_errors=True)
    return target.with_name(f".{kind}.{os.getpid()}")
