"""List of one copy's files, in the bucket beside it. Written last, so that only a whole copy has one."""

# pyright: basic
# The libraries of the server's image are not installed for the type checker.

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

FORMAT = 1


@dataclass(frozen=True)
class File:
    """One file: `path` inside the repository, `size` in bytes, and what identifies its content."""

    path: str
    size: int
    digest: str
    """As Hugging Face states it: SHA-256 (64 digits) for a large file, git's blob id (40) for a small one."""
    crc32c: str | None = None
    """As Cloud Storage computes it for every object, in base64. None for a file that is not yet copied."""


@dataclass(frozen=True)
class Copy:
    """One revision of a repository, and the folder `prefix` of `bucket` that gets it.

    `bucket` is google.cloud.storage's.
    """

    bucket: Any
    prefix: str
    repository: str
    revision: str

    @property
    def manifest(self) -> str:
        """Name of the list. It is outside the folder, which has the repository's files and no others."""
        return f"{self.prefix}.manifest.json"


def read(copy: Copy) -> tuple[list[File] | None, int]:
    """Returns the files of a whole copy and the generation of their list.

    Without a list, or with one that cannot be read or is another copy's, there are no files: None. The
    generation of a list that does not exist is 0.
    """
    blob = copy.bucket.get_blob(copy.manifest)
    if blob is None:
        return None, 0
    return parse(blob.download_as_bytes(), copy.repository, copy.revision), blob.generation


def parse(text: bytes, repository: str, revision: str) -> list[File] | None:
    """Returns the files that a list names; None for a list that is damaged or of something else."""
    try:
        content = json.loads(text)
        if [content[name] for name in ("format", "repository", "revision")] != [FORMAT, repository, revision]:
            return None
        files = [File(**each) for each in content["files"]]
    except (ValueError, KeyError, TypeError):
        return None
    whole = files and all(
        isinstance(each.path, str) and isinstance(each.size, int) and each.digest and each.crc32c
        for each in files
    )
    return files if whole else None


def write(copy: Copy, files: Sequence[File], generation: int) -> None:
    """Writes the list in place of the one of this `generation`; 0 means that none exists.

    A list that another run has written meanwhile stays: both runs copied the same revision.
    """
    from google.api_core.exceptions import PreconditionFailed  # pyright: ignore[reportMissingImports]

    content = {
        "format": FORMAT,
        "repository": copy.repository,
        "revision": copy.revision,
        "files": [asdict(file) for file in files],
    }
    blob = copy.bucket.blob(copy.manifest)
    try:
        blob.upload_from_string(
            json.dumps(content, indent=1), content_type="application/json", if_generation_match=generation
        )
    except PreconditionFailed:
        return
