"""API keys: one a line, in a file that may appear or change while the server runs."""

import hashlib
import hmac
from pathlib import Path


def _digest(key: bytes) -> bytes:
    """Return a value of fixed length, so that the time of a comparison does not depend on the key."""
    return hashlib.sha256(key).digest()


class KeyFile:
    """File of keys, read again whenever its status changes (a Secret's volume swaps a symbolic link).

    Each line is a valid key. During a rotation the file holds the old key and the new one.
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
        """Return whether the file has no key, so that nobody is admitted."""
        self._refresh()
        return not self._digests

    def admits(self, key: bytes) -> bool:
        """Return whether the file has this key, in a time that does not depend on the key."""
        self._refresh()
        given = _digest(key)
        return any([hmac.compare_digest(given, known) for known in self._digests])
