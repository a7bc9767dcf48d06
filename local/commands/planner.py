"""`make simulate`, `make choose` and `make compare`: `python -m planner` in the model server's own Python."""

import sys
from collections.abc import Sequence
from pathlib import Path

from local import image
from local.commands import server_python


def main(arguments: Sequence[str]) -> int:
    """Build the server's environment, then run; the exit code is the planner's, or that of a refusal."""
    return server_python.run(lambda: _command(arguments))


def _command(arguments: Sequence[str]) -> list[str | Path]:
    """Returns the planner's command.

    Raises ValueError, one sentence a line, for a wrong engine, and Refusal if there is no environment.
    """
    server_python.check_engine(arguments)
    return [image.ensure_environment() / "bin" / "python3", "-m", "planner", *arguments]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
