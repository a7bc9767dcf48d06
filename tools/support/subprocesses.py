"""Child processes that exit before this process releases its lock.

Python's default reaction to SIGTERM is to exit at once. The kernel then frees the locks, and a child keeps
writing into files that the next run takes for its own.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

GRACE_SECONDS = 10.0
"""Seconds between SIGTERM and SIGKILL."""
POLL_SECONDS = 0.05


def end_in_order() -> None:
    """Have SIGTERM and SIGHUP raise SystemExit, so that every `with` and `finally` block runs."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:  # keep what `nohup` has switched off
            signal.signal(number, _end)


def _end(number: int, _: object) -> None:
    # Ignore a second signal: it would interrupt the orderly exit.
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)


def call(
    words: Sequence[str | Path], *, own_group: bool = False, to_its_end: bool = False, **options: Any
) -> int:
    """Run a command without input and return its exit code.

    When this process has to exit while the command runs, it ends the command first. With `own_group`, the
    command runs in its own process group: everything that it started ends with it, and a Ctrl-C in the
    terminal reaches it only through this process. With `to_its_end`, this process waits for the command
    instead of ending it. Raises FileNotFoundError.
    """
    group = 0 if own_group or to_its_end else None
    with contextlib.ExitStack() as until:
        with _held_back():
            child = subprocess.Popen(
                [str(word) for word in words], stdin=subprocess.DEVNULL, process_group=group, **options
            )
            until.enter_context(child)
            until.enter_context(_awaited(child) if to_its_end else ended(child, group=own_group))
        return child.wait()


def call_together(commands: Sequence[Sequence[str | Path]], **options: Any) -> bool:
    """Run commands in parallel, each in its own process group; return whether all of them succeeded.

    The first failure ends the other commands, and so does the end of this process. Raises FileNotFoundError.
    """
    with contextlib.ExitStack() as stack:
        running: list[subprocess.Popen[Any]] = []
        for words in commands:
            with _held_back():
                child = subprocess.Popen(
                    [str(word) for word in words], stdin=subprocess.DEVNULL, process_group=0, **options
                )
                stack.enter_context(child)
                stack.enter_context(ended(child, group=True))
            running.append(child)
        while running:
            codes = [child.poll() for child in running]
            if any(codes):
                for child, code in zip(running, codes, strict=True):
                    if code is None:
                        _end_group(child)
                return False
            running = [child for child, code in zip(running, codes, strict=True) if code is None]
            time.sleep(POLL_SECONDS)
    return True


@contextlib.contextmanager
def _held_back() -> Iterator[None]:
    """Deliver the signals that end this process only after the block.

    A signal that arrives while Popen starts a child would raise before this process knows the child, and the
    child would keep running.
    """
    if threading.current_thread() is not threading.main_thread():  # only the main thread receives signals
        yield
        return
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in handlers:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)


@contextlib.contextmanager
def _awaited(child: subprocess.Popen[Any]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        child.wait()
        raise


@contextlib.contextmanager
def ended(child: subprocess.Popen[Any], *, group: bool = False) -> Iterator[None]:
    """End `child` when the block raises; with `group`, end its whole process group."""
    try:
        yield
    except BaseException as error:
        # a Ctrl-C in the terminal reached the child too
        if group or not isinstance(error, KeyboardInterrupt):
            _signal(child, signal.SIGTERM, group)
        _await_or_kill(child, group)
        raise


def _end_group(child: subprocess.Popen[Any]) -> None:
    _signal(child, signal.SIGTERM, group=True)
    _await_or_kill(child, group=True)


def _await_or_kill(child: subprocess.Popen[Any], group: bool) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(GRACE_SECONDS)
    _signal(child, signal.SIGKILL, group)
    child.wait()


def _signal(child: subprocess.Popen[Any], number: signal.Signals, group: bool) -> None:
    if not group:
        child.send_signal(number)
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, number)
