"""Trial of a baked compile cache, made without a TPU: the cache is emptied if the server does not get ready.

Nobody has shown that a chip loads programs of a compiler without chips. JAX compiles a program that does not
load, but never writes it again. A program may also end the server or make it hang. So a file beside the cache
has the state of the trial, and a start that finds `tried` empties the cache.

    .baked     new: restored; tried: a server has started with it; unloaded: it serves, but some programs did
               not load, or it has no counts; dropped: not used again for this release on this disk

A state is written before the step that it warns of, and changed after it.
"""

from pathlib import Path

from agent.compile_cache import entries
from agent.compile_cache import folder as folders
from agent.store import atomic_file


def allowed(folder: Path) -> bool:
    """Returns whether a baked cache may be restored: not after one has failed for this release on this
    disk."""
    return state(folder) not in ("unloaded", "dropped")


def begin(folder: Path) -> None:
    """Notes that a baked cache is about to be restored. Raises OSError."""
    _note(folder, "new")


def withdraw(folder: Path) -> None:
    """Removes the note of `begin`, for a baked cache that could not be restored."""
    if state(folder) == "new":
        marker(folder).unlink()


def start(folder: Path) -> str | None:
    """Returns what to report, if anything. Call it before the server starts."""
    match state(folder):
        case "new":
            _note(folder, "tried")
        case "unloaded":
            _note(folder, "dropped")
        case "tried":
            return _drop(folder, "the server ended before it was ready")
        case _:
            pass
    return None


def stop(folder: Path) -> None:
    """Ends the attempt without a result. Call it when somebody stops a running server."""
    if state(folder) == "tried":
        _note(folder, "new")


def give_up(folder: Path) -> str | None:
    """Returns what to report if a trial was on, so that another start is worth a try; else None.

    Call it when a server was stopped because it was not ready in time.
    """
    if state(folder) in ("new", "tried"):
        return _drop(folder, "the server was not ready in time")
    return None


def ready(folder: Path, misses: int | None) -> str | None:
    """Ends the trial and reports its result. Call it when the server answers.

    `misses` is the number of programs that the server compiled in its warm-up (warm_up_counts.py). Without
    it, no program counts as loaded. If the server had to compile any baked program, all of them count as
    unusable. A program with another key is a new file beside the baked one; a program that did not load has
    no new file.
    """
    if state(folder) != "tried":
        return None
    source = folders.source(folder)
    programs = source.programs if source else []
    own = {file.name.removesuffix(entries.SUFFIX) for file in entries.programs(folder)} - set(programs)
    failed = len(programs) if misses is None else max(0, misses - len(own))
    names = {_name(program) for program in programs}
    renamed = sum(_name(program) in names for program in own)
    if failed or renamed:
        for program in programs:
            (folder / f"{program}{entries.SUFFIX}").unlink(missing_ok=True)
    folders.forget_source(folder)
    if failed:
        _note(folder, "unloaded")
        if misses is None:
            return "baked, and the server does not report what it loaded: all baked ones are deleted"
        return f"baked, and {failed} programs did not load: all baked ones are deleted"
    marker(folder).unlink()
    if renamed:
        return f"baked, and {renamed} programs have other keys here: all baked ones are deleted"
    return f"baked, all {len(programs)} programs serve"


def unfit(folder: Path) -> str | None:
    """Returns why the cache of a serving machine must not be published, or None."""
    match state(folder):
        case "unloaded":
            return "not published: what did not load is missing; the next boot compiles it"
        case "new" | "tried":
            return "not published: the trial of the baked cache has no result"
        case _:
            return None


def state(folder: Path) -> str:
    """Returns the state of the trial, empty without one."""
    file = marker(folder)
    return file.read_text().strip() if file.exists() else ""


def marker(folder: Path) -> Path:
    """Returns the file with the state of the trial of `folder`'s programs."""
    return folder.with_name(folders.TRIAL)


def _name(program: str) -> str:
    """Returns a key without its digest: the name of the jitted function."""
    return program.rpartition("-")[0]


def _note(folder: Path, state: str) -> None:
    atomic_file.write(marker(folder), state + "\n")


def _drop(folder: Path, why: str) -> str:
    folders.empty(folder)
    _note(folder, "dropped")
    return f"baked cache dropped: {why}; this start compiles"
