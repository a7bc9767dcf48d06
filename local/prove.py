"""`make prove`: `python -m proof` in the model server's own Python, with the same arguments."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from local import children, image, paths
from local.progress import Refusal, say

PASSED = ("HOME", "LANG", "PATH", "TERM", "TMPDIR")
"""All that a proof sees of the caller's variables: JAX and tpu-inference have hundreds that change what is
compiled. The engine's own are set in the stack or with --set."""


def main(arguments: Sequence[str]) -> int:
    """Build what a proof runs in, then prove; the exit code is the proof's, or 1 for a refusal.

    Any Gemma 4 tokenizer serves, so it is the tiny model's. Finished programs are kept below `paths.home()`.
    """
    children.end_in_order()
    try:
        paths.instance()  # refused now rather than after a build
        tree, files = image.ensure_environment(), image.ensure_model()
    except Refusal as refusal:
        say(f"\n{refusal}")
        return 1
    except KeyboardInterrupt:
        say("\nInterrupted. The same command goes on from here.")
        return 130
    command = [tree / "bin" / "python3", "-m", "proof", "--files", files, "--work", paths.home() / "proofs"]
    environment = {name: os.environ[name] for name in PASSED if name in os.environ}
    started = subprocess.Popen([*command, *arguments], cwd=paths.REPOSITORY, env=environment)
    with started as process, children.ended(process):
        # An interrupt reaches both; the proof says what becomes of its work.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
