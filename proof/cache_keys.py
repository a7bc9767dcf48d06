"""JAX's compile cache as a proof uses it: the key of a program, and the check that its entry is whole."""

import fcntl
import time
from pathlib import Path
from typing import IO, Any

from proof.environment import ProofError
from proof.work_folder import WorkFolder

RECORD_SECONDS = 5.0
"""Seconds to wait for the record of a program that another process has compiled. That process writes the
record as soon as it has checked the cache entry; these seconds allow for a busy disk."""


class Known(Exception):
    """Signal, raised inside JAX, that the program's key is known and it need not be compiled."""


class WatchedKeys:
    """Recorder of the cache key of each program that JAX compiles. Raises Known if `folder` has the program.

    With `folder` None it raises Known for every program. It replaces `compilation_cache.get_cache_key`, which
    JAX calls for every program when there is a persistent cache. A cache entry whose key has no record was
    left by a killed run and may be incomplete; JAX would neither load nor replace it, so it is deleted. Only
    the process that holds the key's lock may delete it. A process holds the lock until JAX asks for the next
    key, or until the block ends, when it has checked the entry.
    """

    def __init__(self, folder: WorkFolder | None) -> None:
        self.folder, self.keys = folder, list[str]()
        self._lock: IO[str] | None = None

    def __enter__(self) -> list[str]:
        from jax._src import compilation_cache

        self.real = compilation_cache.get_cache_key

        def get_cache_key(*arguments: Any, **named: Any) -> str:
            self._unlock()  # One lock at a time: another process may request the keys in another order.
            key = self.real(*arguments, **named)
            self.keys.append(key)
            if self.folder is None:
                raise Known
            self._claim(key, self.folder)
            (self.folder.cache / f"{key}-cache").unlink(missing_ok=True)
            return key

        compilation_cache.get_cache_key = get_cache_key
        return self.keys

    def __exit__(self, *_: object) -> None:
        from jax._src import compilation_cache

        compilation_cache.get_cache_key = self.real
        self._unlock()

    def _claim(self, key: str, folder: WorkFolder) -> None:
        """Takes the key's lock. Raises Known when another process finished the program meanwhile."""
        self._lock = (folder.path / f".{key}.lock").open("a")
        deadline = time.monotonic()
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            deadline = time.monotonic() + RECORD_SECONDS
        while not folder.has(key):
            if time.monotonic() >= deadline:
                return
            time.sleep(0.05)
        self._unlock()
        raise Known

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def must_be_whole(file: Path) -> None:
    """Raises ProofError unless `file` is a whole cache entry.

    JAX only warns when it cannot write an entry, and leaves the part that it has written.
    """
    from jax._src import compilation_cache

    try:
        compilation_cache.decompress_executable(file.read_bytes())
    except Exception as error:
        # The library's compressors raise their own error classes.
        raise ProofError(
            f"The compile cache {file.parent} has no whole entry {file.name} ({type(error).__name__}): free "
            "space, and run the same command again, which continues from here."
        ) from None
