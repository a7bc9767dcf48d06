"""A baked compile cache, made without a TPU: taken on trial, and dropped when the server does not survive it.

That a chip loads programs which a compiler without chips has written is not known. A program that does not
load is compiled, by JAX itself, but never written again; what ends the server, or hangs it, this module
answers: it notes beside the cache that a trial is on, and a start that finds such a note empties the cache.

    .baked     new: restored; tried: a server has started on it; unloaded: it serves, but some of the programs
               did not load, or nobody knows; dropped: never again for this release on this disk

A note is written before what it warns of, and taken back after.
"""

import json
from pathlib import Path

from agent import cache_report
from agent.vm import atomic_file, compile_cache, last_error

MANIFEST = "manifest.json"


def restore(bucket: str, own: str, name: str, folder: Path) -> str:
    """Fill `folder` from gs://`bucket`/`own`, which a server has published, else from `name`, which is baked;
    says what it did. Whatever goes wrong is a miss."""
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
    """Call when the server is about to start; what to report, if anything."""
    state = _state(folder)
    if state == "new":
        _note(folder, "tried")
    elif state == "unloaded":
        _note(folder, "dropped")
    elif state == "tried":
        return _drop(folder, "the server ended before it was ready")
    return None


def stop(folder: Path) -> None:
    """Call when somebody stops a server that runs: what was not ready yet says nothing about the cache."""
    if _state(folder) == "tried":
        _note(folder, "new")


def give_up(folder: Path) -> str | None:
    """Call when a server was stopped because it was not ready in time; what to report if it was on trial,
    and its next start is worth a try."""
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
    """Why the cache of a serving machine must not be published, if there is a reason."""
    if _state(folder) == "unloaded":
        return "not published: what did not load is missing; the next boot compiles it"
    return None


def marker(folder: Path) -> Path:
    """The file that tells where the trial of `folder`'s programs stands."""
    return folder.with_name(compile_cache.TRIAL)


def _misses(unit: str) -> int | None:
    """Returns the misses of the server's last warm-up; None when its log does not have them."""
    counts = cache_report.last(last_error.printed(unit, 5000))
    return None if counts is None or "misses" not in counts else int(counts["misses"])


def _name(program: str) -> str:
    """A key without its digest: what was jitted."""
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
    """The programs that the archive's manifest lists."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        return list(manifest["programs"]) if manifest["baked"] else []
    except (OSError, ValueError, KeyError, TypeError):
        return []
