"""The step before each start of a server: a first start, and a restart on the same disk."""

from pathlib import Path

from agent.compile_cache import entries, trial


def start(folder: Path) -> str | None:
    """Returns what to report, if anything. Call it before the server starts. Raises OSError.

    Notes that a baked cache is tried, or empties the folder if the last start with it had no answer, and
    deletes the programs that a killed server has written in part.
    """
    return trial.start(folder) or entries.delete_broken(folder)
