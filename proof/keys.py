"""JAX's compile cache as a proof uses it: which key a program has, and whether its entry is whole."""

import fcntl
import time
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from proof.environment import Refused
from proof.records import Record

RECORD_SECONDS = 5.0
"""A process that has checked its entry writes the program's record at once; this outlasts a busy disk."""


class Known(Exception):
    """Raised from inside JAX when a program's key is known and it need not be compiled."""


class WatchedKeys:
    """Notes the cache key of whatever JAX compiles, and stops it where the key is known (None: always).

    Replaces `compilation_cache.get_cache_key`, through which every program with a persistent cache passes.
    What stands in `cache` under a key that is not known was left by a killed run, perhaps half of it, and JAX
    would neither load nor replace it. So that it is no other process's entry that is removed, the key is this
    process's alone from here until it asks for another one or leaves the block, its entry checked.
    """

    def __init__(self, known: set[str] | None, cache: Path | None) -> None:
        self.known, self.cache, self.found = known, cache, list[str]()
        self._lock: IO[str] | None = None

    def __enter__(self) -> list[str]:
        from jax._src import compilation_cache

        self.real = compilation_cache.get_cache_key

        def get_cache_key(*arguments: Any, **named: Any) -> str:
            self._unlock()  # never two at once: another process may want them in another order
            key = self.real(*arguments, **named)
            self.found.append(key)
            if self.known is None or key in self.known:
                raise Known
            if self.cache is not None:
                self._claim(key, self.cache)
                (self.cache / f"{key}-cache").unlink(missing_ok=True)
            return key

        compilation_cache.get_cache_key = get_cache_key
        return self.found

    def __exit__(self, *_: object) -> None:
        from jax._src import compilation_cache

        compilation_cache.get_cache_key = self.real
        self._unlock()

    def _claim(self, key: str, cache: Path) -> None:
        """Hold the key's lock. Raises Known when its program was finished by who held it before."""
        self._lock = (cache.parent / f".{key}.lock").open("a")
        deadline = time.monotonic()
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            deadline = time.monotonic() + RECORD_SECONDS
        while key not in _recorded(cache.parent):
            if time.monotonic() >= deadline:
                return
            time.sleep(0.05)
        self._unlock()
        raise Known

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _recorded(folder: Path) -> set[str]:
    """Keys of the programs that are finished in a work folder by now, whoever compiled them."""
    found: set[str] = set()
    for file in folder.glob("[0-9]*.json"):
        try:
            found.add(Record.model_validate_json(file.read_bytes()).key)
        except (ValidationError, FileNotFoundError):
            continue
    return found


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
