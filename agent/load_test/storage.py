"""Results in the bucket, each object created once: cells while a run lasts, and the whole run at its end.

load-tests/RELEASE/TIME/run.json       ladder and cells of a run
load-tests/RELEASE/TIME/CELL.json      a measured cell
load-tests/RELEASE/TIME.json           the finished run
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from agent.store import gcs
from agent.store.gcp_api import Status

NOT_FOUND = 404


class Storage(Protocol):
    """Objects that are JSON documents."""

    def names(self, prefix: str) -> Iterator[str]:
        """Yields the names of the objects below a prefix."""
        ...

    def read(self, name: str) -> Any:
        """Returns the document of an object; None when there is none."""
        ...

    def create(self, name: str, document: Any) -> None:
        """Writes an object, unless there is one of that name."""
        ...


class Bucket:
    """A bucket of Cloud Storage. Its methods raise gcp_api's Problem and Status."""

    def __init__(self, name: str) -> None:
        self._name = name

    def names(self, prefix: str) -> Iterator[str]:
        """Yields the names of the objects below a prefix."""
        yield from (item.name for item in gcs.objects(self._name, prefix))

    def read(self, name: str) -> Any:
        """Returns the document of an object; None when there is none."""
        try:
            return json.loads(gcs.read(self._name, name))
        except Status as status:
            if status.code != NOT_FOUND:
                raise
            return None

    def create(self, name: str, document: Any) -> None:
        """Writes an object, unless there is one of that name."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "object.json")
            file.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
            try:
                gcs.create(self._name, name, file)
            except Status as status:
                if not status.exists:
                    raise


class Memory:
    """Storage of a stack without a bucket: it lasts as long as the run."""

    def __init__(self) -> None:
        self.documents: dict[str, Any] = {}

    def names(self, prefix: str) -> Iterator[str]:
        """Yields the names of the objects below a prefix."""
        yield from (name for name in sorted(self.documents) if name.startswith(prefix))

    def read(self, name: str) -> Any:
        """Returns the document of an object; None when there is none."""
        with suppress(KeyError):
            return self.documents[name]

    def create(self, name: str, document: Any) -> None:
        """Writes an object, unless there is one of that name."""
        self.documents.setdefault(name, document)
