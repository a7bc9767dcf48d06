"""Location of a program now: on PATH, built, or missing. Looking changes nothing."""

import functools
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tools.support import paths
from tools.toolchain import golang
from tools.toolchain.programs import Built, Packaged, Program, Version, parse_version

_ASK_SECONDS = 30


@dataclass(frozen=True)
class Found:
    """Usable program. `version` comes from its own version command, or from its pin."""

    path: Path
    version: str
    origin: Literal["PATH", "built"]


def find(program: Program) -> Found | None:
    """Returns the program to use, or None when it has to be built or installed first."""
    match program:
        case Packaged():
            return _packaged(program)
        case Built(oldest=None):
            return _built(program)
        case Built():
            return _on_path(program) or _built(program)


def _built(program: Built) -> Found | None:
    path = golang.folder(program.family) / program.file
    return Found(path, program.family.version, "built") if path.exists() else None


def _on_path(program: Built) -> Found | None:
    where = _which(program.name)
    if where is None or (program.needs_beside and _which(program.needs_beside) is None):
        return None
    version = _version(Path(where), program.version_command)
    assert program.oldest is not None
    if version is None or version < program.oldest:
        return None
    if program.first_too_new is not None and version >= program.first_too_new:
        return None
    return Found(Path(where), _text(version), "PATH")


def _which(name: str) -> str | None:
    """Like shutil.which, but ignores what this project itself puts on PATH (`pulumi_environment`)."""
    entries = (entry for entry in os.get_exec_path() if not Path(entry).is_relative_to(paths.toolchain()))
    return shutil.which(name, path=os.pathsep.join(entries))


def _packaged(program: Packaged) -> Found | None:
    if program.members:
        for folder in map(Path, program.folders):
            if all(os.access(folder / member, os.X_OK) for member in program.members):
                return Found(folder, "", "PATH")
        return None
    where = shutil.which(program.name, path=os.pathsep.join((*os.get_exec_path(), *program.folders)))
    if where is None:
        return None
    version = _version(Path(where), program.version_command)
    if version is None or version < program.oldest:
        return None
    return Found(Path(where), _text(version), "PATH")


def _version(path: Path, command: tuple[str, ...]) -> Version | None:
    return _ask(path, path.stat().st_mtime_ns, command)


@functools.cache
def _ask(path: Path, changed: int, command: tuple[str, ...]) -> Version | None:
    """Cached by file and modification time, because callers ask for paths often and Go programs start
    slowly."""
    try:
        done = subprocess.run(
            [path, *command],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_ASK_SECONDS,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
            check=True,
        )
        return parse_version(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def _text(version: Version) -> str:
    return ".".join(map(str, version))
