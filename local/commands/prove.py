"""`make prove`: `python -m proof` in the model server's own Python, with the same arguments."""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from config.selection import add_options, from_options
from local import image
from tools.support import paths, subprocesses
from tools.support.progress import Refusal, say

PASSED = ("HOME", "LANG", "PATH", "TERM", "TMPDIR")
"""All of the caller's variables that a proof gets: JAX and tpu-inference have hundreds that change what is
compiled. Set the engine's own in the stack or with --set."""


def main(arguments: Sequence[str]) -> int:
    """Build what a proof runs in, then prove; the exit code is the proof's, 2 for a mistake in the
    stack file or in an option, or 1 for a refusal.

    Any Gemma 4 tokenizer works, so the tiny model's is used. Finished programs are kept below `paths.home()`.
    """
    subprocesses.end_in_order()
    try:
        # Refused now rather than after a build.
        paths.instance()
        _check(arguments)
        tree, files = image.ensure_environment(), image.ensure_model()
    except Refusal as refusal:
        say(f"\n{refusal}")
        return 1
    except ValueError as mistake:
        say(f"\n{mistake}")
        return 2
    except KeyboardInterrupt:
        say("\nInterrupted. Run the same command again to continue from here.")
        return 130
    command = [tree / "bin" / "python3", "-m", "proof", "--files", files, "--work", paths.home() / "proofs"]
    environment = {name: os.environ[name] for name in PASSED if name in os.environ}
    started = subprocess.Popen([*command, *arguments], cwd=paths.REPOSITORY, env=environment)
    with started as process, subprocesses.ended(process):
        # An interrupt reaches both processes; the proof reports what happens to its work.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return process.wait()


def _check(arguments: Sequence[str]) -> None:
    """Raises ValueError, one sentence a line, for an engine that the arguments name and that is wrong."""
    parser = argparse.ArgumentParser(prog="make prove", add_help=False)
    add_options(parser)
    options, _ = parser.parse_known_args(arguments)
    from_options(options, paths.REPOSITORY)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
