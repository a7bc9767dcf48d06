"""The release that a stack names: its record and its agent's files, in `releases/` beside the stack file.

`make promote` writes these files and the key. So a preview needs no network, and a pull request shows what is
promoted.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from config.settings import Settings
from config.targets import FoundationTarget
from serving.deploy import record
from serving.deploy.record import Promotion

_AGENT_FILES = TypeAdapter(dict[str, str])

FOLDER = "releases"
AGENTS = "agents"

DECIDED = (
    *("model", "model_revision", "accelerator", "phase", "scenario"),
    *("engine", "image", "longest_request_seconds"),
)
"""Keys that a release decides."""


def with_promotion(settings: Settings, folder: Path) -> Settings:
    """Returns the settings with the values of the release that they name, if they name one.

    Raises ValueError, one sentence a line, for keys that the release decides, and for a release whose files
    in `folder` are missing, damaged or not accepted.
    """
    # A foundation refuses the key itself, as every key of a server.
    if settings.release is None or isinstance(settings.target, FoundationTarget):
        return settings
    beside = [name for name in DECIDED if name in settings.model_fields_set]
    if beside:
        raise ValueError(
            "\n".join(
                f"{name} is set beside release {settings.release}, which decides it; remove {name}, or "
                "remove release to write a new one."
                for name in beside
            )
        )
    return settings.with_promotion(load(settings.release, folder))


def load(name: str, folder: Path) -> Promotion:
    """Returns the release `name` from the files in `folder`.

    Raises ValueError, one sentence a line, for files that are missing or damaged, and for a release that was
    not accepted.
    """
    read = record.parse(_content(record_file(name, folder), name, folder), f"{FOLDER}/{name}.json")
    if read.release != name:
        raise ValueError(
            f"{FOLDER}/{name}.json is the record of release {read.release}; name that one, or take the file "
            "from git again."
        )
    if not read.is_accepted:
        raise ValueError(
            f"release {name} was not accepted, so no stack may run it; name an accepted one, which "
            "`make releases` lists."
        )
    agent = agent_file(read.agent, folder)
    where = f"{FOLDER}/{AGENTS}/{agent.name}"
    return Promotion(record=read, agent_files=agent_files(_content(agent, name, folder), where))


def record_file(name: str, folder: Path) -> Path:
    """Returns the file of a release's record below the stack files' folder."""
    return folder / FOLDER / f"{name}.json"


def agent_file(digest: str, folder: Path) -> Path:
    """Returns the file with the agent's files of this digest, below the stack files' folder."""
    return folder / FOLDER / AGENTS / f"{digest}.json"


def agent_files(text: str | bytes, where: str) -> Mapping[str, str]:
    """Returns the text of each file of an agent by its path.

    Raises ValueError, one sentence, for anything else.
    """
    try:
        files = _AGENT_FILES.validate_json(text, strict=True)
    except ValidationError:
        files = {}
    if not files:
        raise ValueError(
            f"{where} does not hold the texts of an agent's files by their paths; promote it again."
        )
    return files


def _content(file: Path, name: str, folder: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        raise ValueError(
            f"release is {name}, and there is no file {file.relative_to(folder)} beside the stack file; "
            f"promote the release with `make promote FROM=STACK TO=STACK RELEASE={name}`, or take the file "
            "from git again."
        ) from None
