"""Atomic file writes."""

import os
from pathlib import Path


def write(file: Path, content: str | bytes) -> None:
    """Write `content` to `file` with mode 0600; a reader sees the old content or the new, never a part."""
    data = content.encode() if isinstance(content, str) else content
    try:
        if file.read_bytes() == data and file.stat().st_mode & 0o777 == 0o600:
            return
    except FileNotFoundError:
        file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o600, exist_ok=False)
    with temporary.open("wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(file)
