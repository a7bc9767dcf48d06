"""Counter of hits and misses of JAX's compile cache in vLLM's engine: a `vllm.general_plugins` entry point.

`TPUSERVE_CACHE_EVENTS_FILE` names a JSON file that is replaced as a whole at most once a second:

    pid, started (Unix time)           of the process that compiles
    requests, hits, misses             programs looked up in the cache (jax.monitoring's event names below)
    compile_seconds                    in XLA, retrieval from the cache included
    retrieval_seconds, saved_seconds   JAX's measure of the time that hits took and saved
    warm_up                            the same numbers at the end of vLLM's warm-up; null before
    compiled_after_warm_up             programs looked up since
    slow_programs                      number of those that took SLOW_SECONDS or more
    slow_after_warm_up                 the last of the slow ones: name and seconds of each

Without this variable nothing is registered.
"""

# pyright: basic
# The libraries of the server's image are not installed for the type checker.

import atexit
import json
import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

from agent.compile_cache import warm_up_counts

FILE_VARIABLE = "TPUSERVE_CACHE_EVENTS_FILE"
WRITE_SECONDS = 1.0
SLOW_SECONDS = 2.0
"""Seconds of compilation that a user notices. tpu-inference 0.32 compiles small operations with the first
request of each kind: 15 took 1.1 s together on JAX's CPU backend. A whole model takes seconds even there, and
more than ten on a TPU."""
SLOW_NAMED = 20
"""Slow programs that the file names at most."""

COUNTS = {
    "/jax/compilation_cache/compile_requests_use_cache": "requests",
    "/jax/compilation_cache/cache_hits": "hits",
    "/jax/compilation_cache/cache_misses": "misses",
}
COMPILED = "/jax/core/compile/backend_compile_duration"
DURATIONS = {
    COMPILED: "compile_seconds",
    "/jax/compilation_cache/cache_retrieval_time_sec": "retrieval_seconds",
    "/jax/compilation_cache/compile_time_saved_sec": "saved_seconds",
}
"""Event names: jax/_src/compiler.py, compilation_cache.py and dispatch.py of jax 0.11.2."""

WARM_UP_ENDS = "init engine"
"""Begins the line that vllm/v1/engine/core.py logs after the warm-up."""

logger = logging.getLogger("vllm.tpuserve.cache")


class CacheEvents:
    """Counters of one process and the file that shows them."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._started = time.time()
        self._numbers: dict[str, float] = dict.fromkeys((*COUNTS.values(), *DURATIONS.values()), 0)
        self._warm_up: dict[str, float] | None = None
        self._slow_programs = 0
        self._slow: list[dict[str, Any]] = []

    def count(self, event: str, **_: Any) -> None:
        """Be jax.monitoring's event listener."""
        self._add(COUNTS.get(event), 1)

    def measure(self, event: str, seconds: float, **about: Any) -> None:
        """Be jax.monitoring's duration listener. `about` has the compiled function's name."""
        if event == COMPILED and self._warm_up is not None and seconds >= SLOW_SECONDS:
            slow = {"name": str(about.get("fun_name", "?")), "seconds": round(seconds, 3)}
            with self._lock:
                self._slow_programs += 1
                self._slow = [*self._slow, slow][-SLOW_NAMED:]
        self._add(DURATIONS.get(event), seconds)

    def _add(self, name: str | None, amount: float) -> None:
        if name is not None:
            with self._lock:
                self._numbers[name] += amount
            self._changed.set()

    def end_warm_up(self) -> None:
        """Fix the numbers of the boot and write them to the log."""
        with self._lock:
            self._warm_up = dict(self._numbers)
        self.write()
        # At every log level: without this line a log does not show whether the boot compiled.
        logger.log(max(logging.INFO, logger.getEffectiveLevel()), "%s", warm_up_counts.line(self._warm_up))

    def snapshot(self) -> dict[str, Any]:
        """Return the content of the file."""
        with self._lock:
            numbers = {name: round(value, 3) for name, value in self._numbers.items()}
            slow_programs, slow = self._slow_programs, list(self._slow)
            warm_up = self._warm_up and {name: round(value, 3) for name, value in self._warm_up.items()}
        return {
            "pid": os.getpid(),
            "started": round(self._started, 3),
            **numbers,
            "warm_up": warm_up,
            "compiled_after_warm_up": numbers["requests"] - warm_up["requests"] if warm_up else 0,
            "slow_programs": slow_programs,
            "slow_after_warm_up": slow,
        }

    def write(self) -> None:
        """Replace the file; a full or read-only disk must not stop the server."""
        unfinished = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        try:
            unfinished.write_text(json.dumps(self.snapshot()) + "\n")
            unfinished.replace(self._file)
        except OSError as problem:
            logger.warning("cannot write %s: %s", self._file, problem)

    def keep_writing(self) -> None:
        """Write the file after each change until the process ends."""
        while True:
            self._changed.wait()
            self._changed.clear()
            self.write()
            time.sleep(WRITE_SECONDS)


class WarmUpWatch(logging.Filter):
    """Filter that reports the warm-up's line to the counters and passes the records of the log's level."""

    def __init__(self, events: CacheEvents, engine: logging.Logger) -> None:
        super().__init__()
        self._events, self._engine = events, engine

    def filter(self, record: logging.LogRecord) -> bool:
        if str(record.msg).startswith(WARM_UP_ENDS):
            self._events.end_warm_up()
        return logging.Logger.isEnabledFor(self._engine, record.levelno)


def watch_warm_up(events: CacheEvents, engine: logging.Logger) -> None:
    """Report the warm-up's line of the logger `engine` at every log level, and print no additional records.

    A logger makes no record below its level, so a filter would not see it. A level that is set here would not
    last: vLLM configures its loggers after its plugins and resets their levels.
    """

    def hears(level: int) -> bool:
        return level >= logging.INFO or logging.Logger.isEnabledFor(engine, level)

    engine.isEnabledFor = hears
    engine.addFilter(WarmUpWatch(events, engine))


def register() -> None:
    """Be the entry point. vLLM calls it in all its processes; only one that compiles writes the file."""
    file = os.environ.get(FILE_VARIABLE)
    if not file:
        return
    import jax  # pyright: ignore[reportMissingImports]

    events = CacheEvents(Path(file))
    jax.monitoring.register_event_listener(events.count)
    jax.monitoring.register_event_duration_secs_listener(events.measure)
    watch_warm_up(events, logging.getLogger("vllm.v1.engine.core"))
    threading.Thread(target=events.keep_writing, name="tpuserve-cache-events", daemon=True).start()
    atexit.register(lambda: events.write() if events.snapshot()["requests"] else None)
