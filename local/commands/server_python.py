"""Runs a command in the model server's own Python environment, as a process that ends with this one."""

import argparse
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from config.selection import add_options, from_options
from tools.support import paths, subprocesses
from tools.support.progress import Refusal, say

PASSED = ("HOME", "LANG", "PATH", "TERM", "TMPDIR")
"""All of the caller's variables that the command gets: JAX and tpu-inference have hundreds that change what
is compiled. Set the engine's own in the stack or with --set."""


def run(prepare: Callable[[], Sequence[str | Path]]) -> int:
    """Runs the command that `prepare` returns once it has checked its arguments and built what it needs.

    The exit code is the command's, 2 for a ValueError of `prepare` (a mistake in the stack file or in an
    option), or 1 for its Refusal.
    """
    subprocesses.end_in_order()
    try:
        # Refused now rather than after a build.
        paths.instance()
        command = prepare()
    except Refusal as refusal:
        say(f"\n{refusal}")
        return 1
    except ValueError as mistake:
        say(f"\n{mistake}")
        return 2
    except KeyboardInterrupt:
        say("\nInterrupted. Run the same command again to continue from here.")
        return 130
    environment = {name: os.environ[name] for name in PASSED if name in os.environ}
    started = subprocess.Popen(command, cwd=paths.REPOSITORY, env=environment)
    with started as process, subprocesses.ended(process):
        # An interrupt reaches both processes; the command reports what happens to its work.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return process.wait()


def check_engine(arguments: Sequence[str]) -> None:
    """Raises ValueError, one sentence a line, for an engine that the arguments name and that is wrong."""
    parser = argparse.ArgumentParser(add_help=False)
    add_options(parser)
    options, _ = parser.parse_known_args(arguments)
    from_options(options, paths.REPOSITORY)
