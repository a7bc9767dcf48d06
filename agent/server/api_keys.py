"""The API keys: one a line in a file that may change, or appear, while the server runs."""

import hashlib
import hmac
from pathlib import Path


def _digest(key: bytes) -> bytes:
    """Of equal length whatever the key, so that a comparison tells nothing of it."""
    return hashlib.sha256(key).digest()


class KeyFile:
    """Reads the file again whenever its status changes (a Secret's volume swaps a symbolic link).

    Several lines are several valid keys, so that a key can be rotated without a moment in which neither the
    old nor the new one works.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._digests: tuple[bytes, ...] = ()

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
            seen = (status.st_mtime_ns, status.st_ino, status.st_size)
            if seen != self._seen:
                lines = self._path.read_bytes().splitlines()
                self._digests = tuple(_digest(line.strip()) for line in lines if line.strip())
                self._seen = seen
        except OSError:
            self._digests, self._seen = (), None

    def empty(self) -> bool:
        """Whether there is no key at all, so that nobody can be let in."""
        self._refresh()
        return not self._digests

    def admits(self, key: bytes) -> bool:
        """Whether `key` is one of them; in constant time for the key."""
        self._refresh()
        given = _digest(key)
        return any([hmac.compare_digest(given, known) for known in self._digests])
