"""Fake Cloud Storage with the compile caches of several machines, without any machine."""

import json
from pathlib import Path
from typing import Any

BUCKET, NAME = "b", "xla/0123456789abcdef.tar.zst"


class Store:
    """One bucket, its faults, and machines that have a compile cache."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "objects" / BUCKET).mkdir(parents=True)

    @property
    def object(self) -> Path:
        return self.folder / "objects" / BUCKET / NAME

    def faults(self, **faults: Any) -> None:
        (self.folder / "faults.json").write_text(json.dumps(faults))

    def machine(self, name: str, **files: str) -> Path:
        """Returns the cache folder of a machine."""
        made = self.folder / name / "xla"
        made.mkdir(parents=True)
        for file, text in files.items():
            (made / file).write_text(text)
        return made
