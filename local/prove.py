"""`make prove`: `python -m proof` in the model server's own Python, with the same arguments."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from local import children, image, paths
from local.progress import Refusal, say

PASSED = ("HOME", "LANG", "PATH", "TERM", "TMPDIR")
"""All of the caller's variables that a proof gets: JAX and tpu-inference have hundreds that change what is
compiled. Set the engine's own in the stack or with --set."""


def main(arguments: Sequence[str]) -> int:
    """Build what a proof runs in, then run it; return the proof's exit code, or 1 for a Refusal.

    Any Gemma 4 tokenizer works, so the tiny model's is used. Finished programs are kept below `paths.home()`.
    """
    children.end_in_order()
    try:
        paths.instance()  # fails before a build instead of after it
        tree, files = image.ensure_environment(), image.ensure_model()
    except Refusal as refusal:
        say(f"\n{refusal}")
        return 1
    except KeyboardInterrupt:
        say("\nInterrupted. Run the same command again to continue from here.")
        return 130
    command = [tree / "bin" / "python3", "-m", "proof", "--files", files, "--work", paths.home() / "proofs"]
    environment = {name: os.environ[name] for name in PASSED if name in os.environ}
    started = subprocess.Popen([*command, *arguments], cwd=paths.REPOSITORY, env=environment)
    with started as process, children.ended(process):
        # An interrupt reaches both processes; the proof reports what happens to its work.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
