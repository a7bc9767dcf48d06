"""JAX's compile cache as a proof uses it: which key a program has, and whether its entry is whole."""

import fcntl
import time
from pathlib import Path
from typing import IO, Any

from proof.environment import Refused
from proof.work_folder import WorkFolder

RECORD_SECONDS = 5.0
"""A process that has checked its entry writes the program's record at once; this outlasts a busy disk."""


class Known(Exception):
    """Raised from inside JAX when a program's key is known and it need not be compiled."""


class WatchedKeys:
    """Notes the cache key of whatever JAX compiles, and stops it where `folder` has its program.

    Without a folder it always stops. Replaces `compilation_cache.get_cache_key`, through which every program
    with a persistent cache passes. What stands in the cache under the key of no program was left by a killed
    run, perhaps half of it, and JAX would neither load nor replace it. So that it is no other process's entry
    that is removed, the key is this process's alone from here until it asks for another one or leaves the
    block, its entry checked.
    """

    def __init__(self, folder: WorkFolder | None) -> None:
        self.folder, self.found = folder, list[str]()
        self._lock: IO[str] | None = None

    def __enter__(self) -> list[str]:
        from jax._src import compilation_cache

        self.real = compilation_cache.get_cache_key

        def get_cache_key(*arguments: Any, **named: Any) -> str:
            self._unlock()  # never two at once: another process may want them in another order
            key = self.real(*arguments, **named)
            self.found.append(key)
            if self.folder is None:
                raise Known
            self._claim(key, self.folder)
            (self.folder.cache / f"{key}-cache").unlink(missing_ok=True)
            return key

        compilation_cache.get_cache_key = get_cache_key
        return self.found

    def __exit__(self, *_: object) -> None:
        from jax._src import compilation_cache

        compilation_cache.get_cache_key = self.real
        self._unlock()

    def _claim(self, key: str, folder: WorkFolder) -> None:
        """Hold the key's lock. Raises Known when its program was finished by who held it before."""
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
    """JAX only warns when it cannot write, and leaves what it has written."""
    from jax._src import compilation_cache

    try:
        compilation_cache.decompress_executable(file.read_bytes())
    except Exception as error:
        # The library's compressors raise errors of their own.
        raise Refused(
            f"The compile cache {file.parent} did not keep {file.name} ({type(error).__name__}): free space, "
            "and run the same command again, which goes on from here."
        ) from None
