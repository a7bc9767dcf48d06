"""Local ports that lead to a server: `kubectl port-forward`, and Google's tunnel through IAP."""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator, Sequence

from tools.support import subprocesses
from tools.support.progress import Refusal

LOOPBACK = "127.0.0.1"
OPEN_SECONDS = 30.0
"""Seconds for a tunnel to open: gcloud needs several to start and to log in."""


def free_port() -> int:
    """Returns a TCP port of this machine that nothing uses at the moment."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def opened(words: Sequence[str], ports: Sequence[int], advice: str) -> Generator[None]:
    """Runs a command that listens on local ports while the block runs.

    Raises Refusal with the command's last line when it ends or does not listen in time; `advice` follows it.
    """
    with tempfile.TemporaryFile("w+") as errors:
        command = subprocess.Popen(
            list(words), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, process_group=0
        )
        with command as child, subprocesses.ended(child, group=True):
            deadline = time.monotonic() + OPEN_SECONDS
            while not all(map(_listens, ports)):
                if child.poll() is not None or time.monotonic() > deadline:
                    errors.seek(0)
                    last = (errors.read().strip().splitlines() or ["it said nothing"])[-1]
                    program = words[0].rpartition("/")[2]
                    raise Refusal(f"{program} could not open a tunnel ({last}): {advice}.")
                time.sleep(0.1)
            yield
            # A program that ended by itself, because its server did, is no failure of the block.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGTERM)


def _listens(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex((LOOPBACK, port)) == 0
