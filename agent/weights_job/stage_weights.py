"""Copy of one revision of a Hugging Face repository into a bucket, file by file, checked on the way.

Runs in the server's image as a Job, before any server reads the files. Nothing is kept on disk: each file
streams from one store to the other. A file that is there with the right size and digest stays as it is, so
the program can be run again after any failure. An object appears only when all of it has arrived and its
digest is right: a server can never read half a file. The whole copy gets a list of its files; with that list
only what is missing or damaged is requested from Hugging Face.
"""

# pyright: basic
# The libraries of the server's image are not installed for the type checker.

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from google.api_core.exceptions import GoogleAPICallError  # pyright: ignore[reportMissingImports]
from google.auth.exceptions import GoogleAuthError  # pyright: ignore[reportMissingImports]
from google.cloud import storage  # pyright: ignore[reportMissingImports, reportAttributeAccessIssue]

from agent.weights_job import manifest
from agent.weights_job.checkpoint import checkpoint_problem
from agent.weights_job.hub import Body, Hub, Refused
from agent.weights_job.manifest import Copy, File

PARALLEL_FILES = 4
PIECE_BYTES = 32 * 2**20


def kind(digest: str) -> str:
    """Returns the name of a digest's algorithm: `sha256`, or `git` for a blob id."""
    return "sha256" if len(digest) == 64 else "git"


class Checked:
    """Download as the upload reads it. It returns the last piece only when size and digest are right."""

    def __init__(self, body: Body, file: File) -> None:
        self._body, self._file = body, file
        self._digest = hashlib.sha256()
        if kind(file.digest) == "git":
            # https://git-scm.com/book/en/v2/Git-Internals-Git-Objects, "Object Storage".
            self._digest = hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
        self._position = 0

    def tell(self) -> int:
        """Returns the number of bytes read so far, for the uploader."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Returns `size` more bytes, or fewer at the end. Raises OSError for a file other than announced."""
        left = self._file.size - self._position
        wanted = left if size < 0 else min(size, left)
        pieces: list[bytes] = []
        while wanted > 0:
            piece = self._body.read(wanted)
            if not piece:
                raise OSError(f"{self._file.path} ended after {self._position} of {self._file.size} bytes")
            self._digest.update(piece)
            self._position += len(piece)
            wanted -= len(piece)
            pieces.append(piece)
        if self._position == self._file.size and self._file.digest != self._digest.hexdigest():
            raise OSError(
                f"{self._file.path} is not the file that the repository announces: its digest differs"
            )
        return b"".join(pieces)


def is_there(blob: Any, file: File) -> bool:
    """Returns whether the bucket has this very file, from an earlier run."""
    if blob.size != file.size:
        return False
    if file.crc32c is not None:
        return blob.crc32c == file.crc32c
    return (blob.metadata or {}).get(kind(file.digest)) == file.digest


def stage(
    files: Iterable[File], copy: Copy, download: Callable[[str], AbstractContextManager[Body]]
) -> Iterator[tuple[File, str]]:
    """Copies every file that is not there; yields each with its checksum in the bucket, and a line about it.

    The first failure is raised after the files under way have ended.
    """
    there = {blob.name: blob for blob in copy.bucket.list_blobs(prefix=f"{copy.prefix}/")}

    def bring(file: File) -> tuple[File, str]:
        began = time.monotonic()
        name = f"{copy.prefix}/{file.path}"
        blob = there.get(name)
        if blob is not None and is_there(blob, file):
            return replace(file, crc32c=blob.crc32c), f"{file.path}: there"
        blob = copy.bucket.blob(name, chunk_size=PIECE_BYTES)
        blob.metadata = {kind(file.digest): file.digest}
        with download(file.path) as body:
            blob.upload_from_file(Checked(body, file), size=file.size, checksum="crc32c")
        seconds = time.monotonic() - began
        return replace(file, crc32c=blob.crc32c), f"{file.path}: {file.size / 1e6:.1f} MB in {seconds:.0f} s"

    with ThreadPoolExecutor(PARALLEL_FILES) as pool:
        yield from pool.map(bring, files)


def refused_by_bucket(error: Any, bucket: str) -> Refused | None:
    """Returns the advice on an error of Cloud Storage's client; None where it may pass."""
    try:
        said = error.response.json()["error"]["message"]
    except (AttributeError, ValueError, KeyError, TypeError):
        said = error.message
    reason = f"HTTP {error.code}: {said}"
    if error.code == 404:
        return Refused(f"The bucket {bucket} does not exist ({reason}): deploy the foundation first.")
    if error.code not in (401, 403):
        return None
    return Refused(
        f"gs://{bucket} may not be read and written ({reason}): grant the account that runs this "
        f"roles/storage.objectUser there."
    )


def refuse_other_checkpoint(
    files: Sequence[File], read: Callable[[str], bytes], revision: str, expect: str
) -> None:
    """Raises Refused unless `expect` describes these files; `read(path)` returns a file's content."""
    problem: str | None = "it has no config.json"
    if any(file.path == "config.json" for file in files):
        weight_bytes = sum(file.size for file in files if file.path.endswith(".safetensors"))
        problem = checkpoint_problem(read("config.json"), weight_bytes, expect)
    if problem is not None:
        raise Refused(
            f"{revision} is no checkpoint of {json.loads(expect)['model']}: {problem}; name another "
            "repository, or another architecture."
        )


def bring_up_to_date(copy: Copy, hub: Hub, expect: str | None) -> Iterator[str]:
    """Makes the copy whole; yields lines about it. Raises Refused for a checkpoint that is not `expect`."""
    files, generation = manifest.read(copy)
    listed = files is not None
    if files is None:
        files = hub.files()

    def from_hub(path: str) -> bytes:
        with hub.download(path) as body:
            return body.read(PIECE_BYTES)

    def from_bucket(path: str) -> bytes:
        return copy.bucket.blob(f"{copy.prefix}/{path}").download_as_bytes()

    # A checkpoint is compared before the first file is copied. A listed copy was whole once: it is repaired
    # first, because the comparison reads its config.json from the bucket.
    if expect is not None and not listed:
        refuse_other_checkpoint(files, from_hub, str(hub), expect)
    size = f"{len(files)} files, {sum(file.size for file in files) / 1e9:.1f} GB"
    yield f"{size}, as gs://{copy.bucket.name}/{copy.manifest} lists them" if listed else size
    staged: list[File] = []
    for file, line in stage(files, copy, hub.download):
        staged.append(file)
        yield line
    if not listed:
        manifest.write(copy, staged, generation)
    elif expect is not None:
        refuse_other_checkpoint(files, from_bucket, str(hub), expect)


def main(arguments: list[str]) -> int:
    """Copy the repository that the command line names; returns 0 when all is there. Raises Refused."""
    parser = argparse.ArgumentParser(
        description="Copy one revision of a Hugging Face repository into a bucket, each file checked."
    )
    parser.add_argument("--repository", required=True)
    parser.add_argument(
        "--revision", required=True, help="a commit, so that the same weights come every time"
    )
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--token-file", type=Path)
    parser.add_argument(
        "--expect", help="what config.json must say; for a checkpoint outside the model table"
    )
    given = parser.parse_args(arguments)
    try:
        bucket = storage.Client().bucket(given.bucket)
        copy = Copy(bucket, given.prefix, given.repository, given.revision)
        for line in bring_up_to_date(
            copy, Hub(given.repository, given.revision, given.token_file), given.expect
        ):
            print(line, flush=True)
    except GoogleAPICallError as error:
        raise refused_by_bucket(error, given.bucket) or error from None
    except GoogleAuthError as error:
        raise Refused(
            f"gs://{given.bucket} cannot be written without an account of Google's ({error}): run "
            f"`gcloud auth application-default login`, or this where a service account is at hand."
        ) from None
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Refused as refused:
        sys.exit(str(refused))
