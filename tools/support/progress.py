"""Progress output during long work, and the one sentence when it fails.

`step` announces a piece of work and its elapsed time; `run` is a step that is one command, with its whole
output in a log file.
"""

import contextlib
import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tools.support import paths, subprocesses
from tools.support.errors import Refusal

__all__ = ["Refusal", "exclusive", "run", "say", "step"]

HEARTBEAT_SECONDS = 20.0
TAIL_LINES = 12


def say(text: str) -> None:
    """Print one progress line at once, to stderr, so that stdout contains only results."""
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """Announce `title`, repeat it with the elapsed time while it lasts, and end with the total time."""
    began = time.monotonic()
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            say(f"   … {title}: {time.monotonic() - began:.0f} s so far")

    say(f"-> {title}")
    threading.Thread(target=beat, daemon=True).start()
    try:
        yield
    except BaseException:
        say(f"   {title}: stopped after {time.monotonic() - began:.1f} s")
        raise
    else:
        say(f"   {title}: {time.monotonic() - began:.1f} s")
    finally:
        ended.set()


def run(
    title: str,
    command: Sequence[str | Path],
    *,
    log: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    advice: str = "",
    to_its_end: bool = False,
) -> None:
    """Run one command as a step, with its output appended to `logs()/<log>.log`.

    `env` overrides the process's own environment. Raises Refusal with the last lines of the log and the log's
    path when the command fails or does not exist; `advice` says what to change. When this process has to
    exit, it ends the command first, or with `to_its_end` waits for it.
    """
    file = paths.logs() / f"{log}.log"
    file.parent.mkdir(parents=True, exist_ok=True)
    words = [str(word) for word in command]
    with step(title), file.open("a", encoding="utf-8") as output:
        output.write(f"$ {' '.join(words)}\n")
        output.flush()
        try:
            code = subprocesses.call(
                words,
                own_group=True,
                to_its_end=to_its_end,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env={**os.environ, **(env or {})},
            )
        except FileNotFoundError:
            raise Refusal(
                f"{title}: the program {words[0]!r} is not on this machine. {advice}".strip()
            ) from None
    if code != 0:
        tail = "\n".join(
            f"    {line}" for line in file.read_text("utf-8", "replace").splitlines()[-TAIL_LINES:]
        )
        raise Refusal(f"{title} failed (exit {code}). {advice}".rstrip() + f"\n{tail}\n    Full log: {file}")


@contextlib.contextmanager
def exclusive(name: str) -> Iterator[None]:
    """Hold the machine-wide lock `name` (one for each shared resource); report when it has to wait.

    The kernel releases the lock when the holder dies, however it dies.
    """
    file = paths.home() / "locks" / f"{name}.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"   another run is working on {name}; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
