"""Records of one bucket and of the repository, parsed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from agent import agent_files
from config import promotion
from serving.deploy import container_layout, record
from serving.deploy.record import Record
from tools.support.errors import Refusal

Warn = Callable[[str], None]


class Objects(Protocol):
    """The part of a bucket that is read here."""

    @property
    def name(self) -> str:
        """Name of the bucket."""
        ...

    def read(self, name: str) -> bytes | None:
        """Returns the content of an object; None if there is none."""
        ...

    def names(self, prefix: str) -> list[str]:
        """Returns the names of the objects that begin with `prefix`."""
        ...


@dataclass(frozen=True)
class Stored:
    """A record with its own text and the text of its agent's files, as they are in a bucket."""

    record: Record
    text: bytes
    agent: bytes = field(repr=False)


def accepted(bucket: Objects, warn: Warn) -> list[Record]:
    """Returns the accepted releases of a bucket, the newest first.

    `warn` gets a sentence for each record that cannot be read.
    """
    found: list[Record] = []
    for name in bucket.names(container_layout.RECORDS):
        text = bucket.read(name)
        try:
            read = record.parse(text or b"", f"gs://{bucket.name}/{name}")
        except ValueError as reason:
            warn(str(reason))
            continue
        if read.is_accepted:
            found.append(read)
    return sorted(found, key=lambda each: each.accepted or 0, reverse=True)


def find(bucket: Objects, name: str) -> tuple[Record, bytes] | None:
    """Returns the record of a release and its text; None if the bucket has none.

    Raises Refusal for a damaged record.
    """
    path = f"{container_layout.RECORDS}{name}.json"
    text = bucket.read(path)
    if text is None:
        return None
    where = f"gs://{bucket.name}/{path}"
    try:
        read = record.parse(text, where)
    except ValueError as reason:
        raise Refusal(str(reason)) from None
    if read.release != name:
        raise Refusal(f"{where} is the record of release {read.release}: name that one, or another release.")
    return read, text


def fetch(bucket: Objects, read: Record, text: bytes) -> Stored:
    """Returns the record with its agent's files. Raises Refusal when they are missing or others."""
    path = f"{container_layout.AGENTS}{read.agent}.json"
    where = f"gs://{bucket.name}/{path}"
    agent = bucket.read(path)
    advice = f"so release {read.release} cannot run anywhere else: deploy it again, or name another release."
    if agent is None:
        raise Refusal(f"There is no object {where}, {advice}")
    try:
        files = promotion.agent_files(agent, where)
    except ValueError:
        files: Mapping[str, str] = {}
    if agent_files.digest(files) != read.agent:
        raise Refusal(f"{where} does not hold the agent's files that its name says, {advice}")
    return Stored(read, text, agent)


def in_repository(name: str, folder: Path) -> Record | None:
    """Returns a promoted release of the repository; None when it has no good files."""
    try:
        promoted = promotion.load(name, folder)
    except ValueError:
        return None
    return promoted.record if agent_files.digest(promoted.agent_files) == promoted.record.agent else None
