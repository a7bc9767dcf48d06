"""JAX's compile cache as a proof uses it: which key a program has, and whether its entry is whole."""

from pathlib import Path
from typing import Any

from proof.environment import Refused


class Known(Exception):
    """Raised from inside JAX when a program's key is known and it need not be compiled."""


class WatchedKeys:
    """Notes the cache key of whatever JAX compiles, and stops it where the key is known (None: always).

    Replaces `compilation_cache.get_cache_key`, through which every program with a persistent cache passes.
    What stands in `cache` under a key that is not known was left by a killed run, perhaps half of it, and JAX
    would neither load nor replace it.
    """

    def __init__(self, known: set[str] | None, cache: Path | None) -> None:
        self.known, self.cache, self.found = known, cache, list[str]()

    def __enter__(self) -> list[str]:
        from jax._src import compilation_cache

        self.real = compilation_cache.get_cache_key

        def get_cache_key(*arguments: Any, **named: Any) -> str:
            key = self.real(*arguments, **named)
            self.found.append(key)
            if self.known is None or key in self.known:
                raise Known
            if self.cache is not None:
                (self.cache / f"{key}-cache").unlink(missing_ok=True)
            return key

        compilation_cache.get_cache_key = get_cache_key
        return self.found

    def __exit__(self, *_: object) -> None:
        from jax._src import compilation_cache

        compilation_cache.get_cache_key = self.real


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
