"""Fake Cloud Storage with the compile caches of several machines, without any machine."""

import io
import json
import tarfile
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from agent.compile_cache.folder import claim
from agent.compile_cache.records import Store

NAME = "xla/0123456789abcdef.tar"
BAKED = NAME.replace(".tar", ".baked.tar")
STORE = Store("b", NAME)


def archive(programs: dict[str, str], name: str = NAME, **manifest: Any) -> bytes:
    """Returns an archive with these programs, for a name in the bucket; `manifest` changes its manifest."""
    entries = {program: sha256(text.encode()).hexdigest() for program, text in programs.items()}
    first, *kind = PurePosixPath(name).name.split(".")
    document = {"format": 1, "fingerprint": first, "entries": entries, "baked": kind[0] == "baked"}
    return tar(("manifest.json", json.dumps({**document, **manifest})), *programs.items())


def tar(*members: tuple[str | tarfile.TarInfo, str]) -> bytes:
    """Returns a tar with these members and contents."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as packed:
        for name, text in members:
            about = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            about.size = len(text.encode())
            packed.addfile(about, io.BytesIO(text.encode()))
    return data.getvalue()


def names(folder: Path) -> list[str]:
    """Returns the names of the files in a folder."""
    return sorted(path.name for path in folder.iterdir())


class Bucket:
    """One bucket, its faults, and machines that have a compile cache."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "objects" / STORE.bucket).mkdir(parents=True)

    @property
    def object(self) -> Path:
        return self.folder / "objects" / STORE.bucket / NAME

    def put(self, data: bytes, name: str = NAME) -> None:
        """Create an object."""
        file = self.folder / "objects" / STORE.bucket / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def remove(self, name: str) -> None:
        """Delete an object."""
        (self.folder / "objects" / STORE.bucket / name).unlink()

    def faults(self, **faults: Any) -> None:
        """Set what goes wrong from now on."""
        (self.folder / "faults.json").write_text(json.dumps(faults))

    def machine(self, name: str, **programs: str) -> Path:
        """Returns the cache folder of a machine that has compiled these programs."""
        folder = self.folder / name / "xla"
        claim(NAME, folder)
        for program, text in programs.items():
            (folder / f"{program}-cache").write_text(text)
        return folder
