"""Child processes of the language host: started outside its process group, and ended with it."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

GRACE_SECONDS = 2.0
"""Seconds between SIGTERM and SIGKILL. The CLI gives the host itself 5 seconds (pkg/resource/plugin:
Plugin.Kill)."""


class Processes:
    """Running children. Each leads its own process group: the CLI forwards a terminal's Ctrl-C to the host's
    group, which would make a Python program print a traceback as it exits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._ended = False

    @property
    def ended(self) -> bool:
        """Returns true once `end_all` was called: what a child reports after that is not a failure of the
        program."""
        return self._ended

    @contextlib.contextmanager
    def start(
        self,
        command: Sequence[str | Path],
        *,
        cwd: str | Path,
        env: Mapping[str, str],
        capture: bool = False,
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Start a child, which ends with the block. Its output goes to the host's own, which the CLI shows as
        diagnostics of the stack, or to pipes with `capture`. Raises OSError."""
        stream = subprocess.PIPE if capture else None
        with self._lock:
            child = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                cwd=cwd,
                env=dict(env),
                process_group=0,
            )
            self._running.add(child)
        try:
            if self._ended:
                _signal(child, signal.SIGTERM)
            yield child
        finally:
            _end(child)
            with self._lock:
                self._running.discard(child)

    def end_all(self) -> None:
        """End every child and whatever they started. Returns when they are gone."""
        self._ended = True
        with self._lock:
            running = list(self._running)
        for child in running:
            _signal(child, signal.SIGTERM)
        for child in running:
            _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        _signal(child, signal.SIGTERM)
        try:
            child.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            _signal(child, signal.SIGKILL)
            child.wait()


def _signal(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    # Signal the group, so that a program's own children end too; the group is empty when it has ended by
    # itself.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, number)
