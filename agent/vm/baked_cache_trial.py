"""Trial of a baked compile cache, made without a TPU: the cache is emptied if the server does not get ready.

Nobody has shown that a chip loads programs of a compiler without chips. JAX compiles a program that does not
load, but never writes it again. A program may also end the server or make it hang. So a file beside the cache
has the state of the trial, and a start that finds `tried` empties the cache.

    .baked     new: restored; tried: a server has started with it; unloaded: it serves, but some programs did
               not load, or the log has no counts; dropped: not used again for this release on this disk

A state is written before the step that it warns of, and changed after it.
"""

import json
from pathlib import Path

from agent import cache_report
from agent.vm import atomic_file, compile_cache, last_error

MANIFEST = "manifest.json"


def restore(bucket: str, own: str, name: str, folder: Path) -> str:
    """Fills `folder` from gs://`bucket`/`own`, which a server has published, or else from the baked `name`.

    Reports the result. An error counts as a miss.
    """
    said = compile_cache.restore(bucket, own, folder)
    if compile_cache.holds_programs(folder) or _state(folder) in ("unloaded", "dropped"):
        return said
    try:
        _note(folder, "new")
        said = compile_cache.fill(bucket, name, folder)
        programs = _baked(folder)
        if not programs:
            nothing = not compile_cache.holds_programs(folder)
            compile_cache.empty(folder)
            marker(folder).unlink()
            if nothing:
                return said
            return f"gs://{bucket}/{name} has no manifest of `make bake`: this boot compiles"
    except OSError as error:
        return f"not restored ({error}): this boot compiles"
    return f"baked, {len(programs)} programs, not yet tried"


def start(folder: Path) -> str | None:
    """Returns what to report, if anything. Call it before the server starts."""
    state = _state(folder)
    if state == "new":
        _note(folder, "tried")
    elif state == "unloaded":
        _note(folder, "dropped")
    elif state == "tried":
        return _drop(folder, "the server ended before it was ready")
    return None


def stop(folder: Path) -> None:
    """Ends the attempt without a result. Call it when somebody stops a running server."""
    if _state(folder) == "tried":
        _note(folder, "new")


def give_up(folder: Path) -> str | None:
    """Returns what to report if a trial was on, so that another start is worth a try; else None.

    Call it when a server was stopped because it was not ready in time.
    """
    if _state(folder) in ("new", "tried"):
        return _drop(folder, "the server was not ready in time")
    return None


def ready(folder: Path, unit: str) -> str | None:
    """Ends the trial and reports its result. Call it when the server answers.

    If the server had to compile any baked program, all of them count as unusable. A program with another key
    is a new file beside the baked one; a program that did not load has no new file.
    """
    if _state(folder) != "tried":
        return None
    programs = _baked(folder)
    own = {file.name.removesuffix("-cache") for file in folder.glob("*-cache")} - set(programs)
    misses = _misses(unit)
    # Without counts in the server's log, assume that no program loaded.
    failed = len(programs) if misses is None else max(0, misses - len(own))
    names = {_name(program) for program in programs}
    renamed = sum(_name(program) in names for program in own)
    if failed or renamed:
        for program in programs:
            (folder / f"{program}-cache").unlink(missing_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
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
    if _state(folder) == "unloaded":
        return "not published: what did not load is missing; the next boot compiles it"
    return None


def marker(folder: Path) -> Path:
    """Returns the file with the state of the trial of `folder`'s programs."""
    return folder.with_name(compile_cache.TRIAL)


def _misses(unit: str) -> int | None:
    """Returns the misses of the server's last warm-up; None when its log does not have them."""
    counts = cache_report.last(last_error.printed(unit, 5000))
    return None if counts is None or "misses" not in counts else int(counts["misses"])


def _name(program: str) -> str:
    """Returns a key without its digest: the name of the jitted function."""
    return program.rpartition("-")[0]


def _state(folder: Path) -> str:
    file = marker(folder)
    return file.read_text().strip() if file.exists() else ""


def _note(folder: Path, state: str) -> None:
    atomic_file.write(marker(folder), state + "\n")


def _drop(folder: Path, why: str) -> str:
    compile_cache.empty(folder)
    _note(folder, "dropped")
    return f"baked cache dropped: {why}; this start compiles"


def _baked(folder: Path) -> list[str]:
    """Returns the programs in the archive's manifest."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        return list(manifest["programs"]) if manifest["baked"] else []
    except (OSError, ValueError, KeyError, TypeError):
        return []
