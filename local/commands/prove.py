"""`make prove`: `python -m proof` in the model server's own Python, with the same arguments."""

import sys
from collections.abc import Sequence
from pathlib import Path

from local import image
from local.commands import server_python
from tools.support import paths


def main(arguments: Sequence[str]) -> int:
    """Build what a proof runs in, then prove; the exit code is the proof's, or that of a refusal."""
    return server_python.run(lambda: _command(arguments))


def _command(arguments: Sequence[str]) -> list[str | Path]:
    """Returns the proof's command. Raises ValueError, one sentence a line, for a wrong engine, and Refusal.

    Any Gemma 4 tokenizer works, so the tiny model's is used. Finished programs are kept below `paths.home()`.
    """
    server_python.check_engine(arguments)
    tree, files = image.ensure_environment(), image.ensure_model()
    work = paths.home() / "proofs"
    return [tree / "bin" / "python3", "-m", "proof", "--files", files, "--work", work, *arguments]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
