"""Order of promotions: git's history of a stack's file."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from config.stack_text import yaml_value
from releases.stack_file import KEY
from tools.support.errors import Refusal


def before(file: Path, current: str) -> str:
    """Returns the last release that a stack's file named before `current`, by git.

    A file that is changed and not committed counts: then it is the committed release. Raises Refusal when git
    has no such release.
    """
    for commit in _git(file, "log", "--format=%H", "--", file.name).split():
        named = _release(_git(file, "show", f"{commit}:./{file.name}"))
        if named is None:
            break
        if named != current:
            return named
    raise Refusal(
        f"git knows of no release in {file.name} before {current}: fetch the whole history (`git fetch "
        "--unshallow`), go back with git, or name a release with RELEASE=…"
    )


def _release(text: str) -> str | None:
    try:
        content = yaml_value(text)
    except ValueError:
        return None
    config = content.get("config") if isinstance(content, Mapping) else None
    named = config.get(KEY) if isinstance(config, Mapping) else None
    return named if isinstance(named, str) else None


def _git(file: Path, *words: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=file.parent, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        reason = "git is not installed"
    except subprocess.CalledProcessError as error:
        reason = (
            str(error.stderr).strip().splitlines()[0]
            if error.stderr
            else f"git ended with {error.returncode}"
        )
    else:
        return done.stdout
    raise Refusal(
        f"The release before this one is read from git's history of {file.name}, and that failed ({reason}): "
        "name a release with RELEASE=…"
    )
