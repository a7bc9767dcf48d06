"""Objects of Cloud Storage: list, create, and download in parts that a killed boot need not fetch again."""

import base64
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.parse import quote, urlencode
from urllib.request import Request

from agent.store import gcp_api
from agent.store.gcp_api import Problem, Status

HOST = "https://storage.googleapis.com"
EMULATOR = "STORAGE_EMULATOR_HOST"
"""Variable with the address of an emulator, which gets no token. Google's own clients use the same name."""
PART_BYTES = 64 * 2**20
ATTEMPTS = 3
STREAMS = 16
"""Parallel downloads. One stream of Cloud Storage has some hundred MB/s at best; a v6e host's network has
more."""


@dataclass(frozen=True)
class Object:
    """One generation of an object. `md5` is hexadecimal; None for a composite object, which has no MD5."""

    bucket: str
    name: str
    size: int
    generation: str
    md5: str | None

    @property
    def url(self) -> str:
        path = f"storage/v1/b/{quote(self.bucket)}/o/{quote(self.name, safe='')}"
        return f"{_host()}/{path}?alt=media&generation={self.generation}"


def objects(bucket: str, prefix: str) -> Iterator[Object]:
    """Yields the objects below a prefix, without folders' markers. Raises Problem or Status."""
    page = ""
    while True:
        query = {"prefix": prefix, "fields": "items(name,size,generation,md5Hash),nextPageToken"}
        if page:
            query["pageToken"] = page
        answer = gcp_api.read(
            f"{_host()}/storage/v1/b/{quote(bucket)}/o?{urlencode(query)}", _authorization()
        )
        for item in answer.get("items", ()):
            if not item["name"].endswith("/"):
                md5 = item.get("md5Hash")
                yield Object(
                    bucket,
                    item["name"],
                    int(item["size"]),
                    item["generation"],
                    base64.b64decode(md5).hex() if md5 else None,
                )
        page = answer.get("nextPageToken", "")
        if not page:
            return


def read(bucket: str, name: str) -> bytes:
    """Returns a small object. Raises Status 404 when there is none, another Status, or Problem."""
    url = f"{_host()}/storage/v1/b/{quote(bucket)}/o/{quote(name, safe='')}?alt=media"
    try:
        with gcp_api.send(Request(url, headers=_authorization())) as answer:
            return answer.read()
    except (OSError, HTTPException) as error:
        raise Problem(f"gs://{bucket}/{name} broke off ({error}).") from None


def find(bucket: str, name: str) -> Object | None:
    """Returns the object of that name, None if there is none. Raises Problem or Status."""
    return next((item for item in objects(bucket, name) if item.name == name), None)


def download(wanted: Sequence[tuple[Object, Path]]) -> None:
    """Download each object into its file in parallel parts, and checks it. Existing files stay.

    Raises Problem when the disk is too small, an object was damaged twice or has no checksum, or a part
    fails. Then running parts end, and no further part is started.
    """
    for item, target in wanted:
        if item.md5 is None:
            raise Problem(
                f"gs://{item.bucket}/{item.name} has no MD5, because it was uploaded in pieces: upload it "
                f"again after `gcloud config set storage/parallel_composite_upload_enabled False`."
            )
        target.parent.mkdir(parents=True, exist_ok=True)
    missing = [(item, target) for item, target in wanted if not target.exists()]
    _check_room(missing)
    pool = ThreadPoolExecutor(STREAMS)
    try:
        for _ in range(2):
            parts = [part for item, target in missing for part in _parts(item, target)]
            for part in wait([pool.submit(_fetch, *part) for part in parts], None, FIRST_EXCEPTION).done:
                part.result()
            list(pool.map(_finish, missing))
            missing = [(item, target) for item, target in missing if not target.exists()]
    finally:
        pool.shutdown(cancel_futures=True)
    if missing:
        names = ", ".join(item.name for item, _ in missing)
        raise Problem(f"Damaged twice on the way: {names} in gs://{missing[0][0].bucket}: upload it again.")


def create(bucket: str, name: str, file: Path) -> str:
    """Uploads `file` as a new object, and returns its MD5 in hexadecimal.

    The object appears when all of it has arrived and has the right MD5.

    Raises Status 412 when there is one of that name already, another Status for a refusal, Problem when the
    other side does not take it (https://cloud.google.com/storage/docs/request-preconditions,
    https://cloud.google.com/storage/docs/performing-resumable-uploads).
    """
    query = urlencode({"uploadType": "resumable", "name": name, "ifGenerationMatch": 0})
    md5 = _md5(file)
    about = json.dumps({"md5Hash": base64.b64encode(md5).decode()}).encode()
    for attempt in range(ATTEMPTS):
        headers = {**_authorization(), "Content-Type": "application/json"}
        begin = f"{_host()}/upload/storage/v1/b/{quote(bucket)}/o?{query}"
        try:
            with gcp_api.send(Request(begin, about, headers)) as answer:
                session = answer.headers["Location"]
            _send_file(session, file)
        except Status as error:
            # An earlier attempt may have arrived, and its answer may have been lost.
            if attempt == 0 or not error.exists or not _is(bucket, name, md5):
                raise
        except (OSError, HTTPException):
            continue
        return md5.hex()
    raise Problem(f"gs://{bucket}/{name}: the upload broke off {ATTEMPTS} times")


def _send_file(session: str, file: Path) -> None:
    """Sends a file to an upload's address. Raises OSError and HTTPException if another attempt may succeed,
    otherwise Status."""
    headers = {**_authorization(), "Content-Length": str(file.stat().st_size)}
    with file.open("rb") as data:
        try:
            gcp_api.once(Request(session, data, headers, method="PUT")).close()
        except Status as error:
            if error.passing:
                raise ConnectionError(str(error)) from None
            raise


def _is(bucket: str, name: str, md5: bytes) -> bool:
    """Returns whether an object has this content."""
    item = find(bucket, name)
    return item is not None and item.md5 == md5.hex()


def _host() -> str:
    return os.environ.get(EMULATOR, HOST).rstrip("/")


def _authorization() -> dict[str, str]:
    return {} if EMULATOR in os.environ else gcp_api.authorization()


def _md5(file: Path) -> bytes:
    digest = hashlib.md5(usedforsecurity=False)
    with file.open("rb") as data:
        while block := data.read(2**22):
            digest.update(block)
    return digest.digest()


def is_partial(file: Path) -> bool:
    """Returns whether a file is of a download that goes on later: its bytes, or the journal of its parts."""
    return file.name.startswith(".") and file.suffix in (".part", ".done")


def _partial(target: Path) -> Path:
    return target.with_name(f".{target.name}.part")


def _journal(target: Path) -> Path:
    return target.with_name(f".{target.name}.done")


def _parts(item: Object, target: Path) -> Iterator[tuple[Object, Path, int]]:
    """Returns the parts that are not on the disk yet: all of them for another generation."""
    journal, head = _journal(target), f"{item.generation}\n"
    lines = journal.read_text().splitlines() if journal.exists() else []
    if lines[:1] != [item.generation] or not _partial(target).exists():
        lines = []
        journal.write_text(head)
        _partial(target).write_bytes(b"")
        os.truncate(_partial(target), item.size)
    done = {int(line) for line in lines[1:]}
    yield from ((item, target, start) for start in range(0, item.size, PART_BYTES) if start not in done)


def _fetch(item: Object, target: Path, start: int) -> None:
    data = _read(item, start, min(PART_BYTES, item.size - start))
    descriptor = os.open(_partial(target), os.O_WRONLY)
    try:
        os.pwrite(descriptor, data, start)
        os.fsync(descriptor)
    except OSError as error:
        raise _disk_problem(error, target) from None
    finally:
        os.close(descriptor)
    # One short write to a file opened for appending: lines of other threads are never torn.
    with _journal(target).open("ab", buffering=0) as journal:
        journal.write(f"{start}\n".encode())


def _read(item: Object, start: int, size: int) -> bytes:
    """Yields the bytes from `start`. A broken connection is tried again, which `gcp_api.send` cannot do."""
    for _ in range(ATTEMPTS):
        try:
            headers = {**_authorization(), "Range": f"bytes={start}-{start + size - 1}"}
            with gcp_api.send(Request(item.url, headers=headers)) as answer:
                data = answer.read()
        except Status as error:
            raise Problem(f"gs://{item.bucket}/{item.name} cannot be read: {error}.") from None
        except (OSError, HTTPException):
            continue
        if len(data) == size:
            return data
    raise Problem(
        f"gs://{item.bucket}/{item.name} broke off {ATTEMPTS} times at byte {start:,}: start the boot again, "
        f"it goes on from there."
    )


def _finish(pair: tuple[Object, Path]) -> None:
    """Give the file its name when its bytes are the object's; otherwise delete them."""
    item, target = pair
    partial = _partial(target)
    if _md5(partial).hex() == item.md5:
        partial.replace(target)
    else:
        partial.unlink()
    _journal(target).unlink()


def _check_room(missing: Sequence[tuple[Object, Path]]) -> None:
    if not missing:
        return
    folder = missing[0][1].parent
    here = sum(_partial(target).stat().st_blocks * 512 for _, target in missing if _partial(target).exists())
    needed = sum(item.size for item, _ in missing) - here
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise Problem(
            f"{folder} needs {needed / 1e9:.2f} GB more and has {free / 1e9:.2f} GB: provide a larger disk."
        )


def _disk_problem(error: OSError, target: Path) -> Problem:
    if error.errno == errno.ENOSPC:
        return Problem(f"The disk of {target.parent} is full: provide a larger one.")
    return Problem(f"{target} cannot be written ({error.strerror}): see whether the disk is healthy.")
