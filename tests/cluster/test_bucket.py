"""The object store keeps the promises of Cloud Storage that its clients rely on, and its objects.

https://cloud.google.com/storage/docs/json_api/v1/objects,
https://cloud.google.com/storage/docs/request-preconditions,
https://cloud.google.com/storage/docs/performing-resumable-uploads
"""

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from local import cluster, interface
from local.cluster import bucket, processes
from tests.cluster.cluster_fixtures import kill

OBJECTS = f"{interface.storage_url()}/storage/v1/b/{interface.bucket()}/o"
UPLOADS = f"{interface.storage_url()}/upload/storage/v1/b/{interface.bucket()}/o"


def md5(data: bytes) -> str:
    """MD5 as Cloud Storage writes it."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def create(name: str, data: bytes, digest: str | None = None) -> httpx.Response:
    """A resumable upload of an object that must not exist: a session, then one PUT."""
    with httpx.Client(trust_env=False, timeout=60) as client:
        session = client.post(
            UPLOADS,
            params={"uploadType": "resumable", "name": name, "ifGenerationMatch": "0"},
            json={"md5Hash": digest or md5(data)},
        )
        assert session.status_code == httpx.codes.OK, session.text
        return client.put(session.headers["Location"], content=data)


def listed(prefix: str) -> dict[str, dict[str, Any]]:
    """Returns the objects below a prefix, by name."""
    answer = httpx.get(OBJECTS, params={"prefix": prefix}, trust_env=False)
    assert answer.status_code == httpx.codes.OK, answer.text
    return {item["name"]: item for item in answer.json().get("items", [])}


def read(name: str, headers: dict[str, str] | None = None, **query: str) -> httpx.Response:
    """GET of an object's bytes."""
    url = f"{OBJECTS}/{quote(name, safe='')}"
    return httpx.get(url, params={"alt": "media", **query}, headers=headers, trust_env=False)


@pytest.fixture
def prefix(started: None, request: pytest.FixtureRequest) -> str:
    """A part of the bucket for one test, emptied before it."""
    folder = f"tests/{request.node.name}"
    for name in listed(f"{folder}/"):
        httpx.delete(f"{OBJECTS}/{quote(name, safe='')}", trust_env=False).raise_for_status()
    return folder


def test_an_object_is_created_once_listed_with_its_md5_and_read_in_parts(prefix: str) -> None:
    data = bytes(range(256)) * 4096
    assert create(f"{prefix}/a b+c.tar", data).status_code == httpx.codes.OK
    again = create(f"{prefix}/a b+c.tar", b"other")
    assert again.status_code == httpx.codes.PRECONDITION_FAILED
    assert again.json()["error"]["message"]
    assert create(f"{prefix}/empty", b"").status_code == httpx.codes.OK

    found = listed(f"{prefix}/")
    assert set(found) == {f"{prefix}/a b+c.tar", f"{prefix}/empty"}
    assert set(listed(f"{prefix}/a")) == {f"{prefix}/a b+c.tar"}
    item = found[f"{prefix}/a b+c.tar"]
    assert (int(item["size"]), item["md5Hash"]) == (len(data), md5(data))

    part = read(item["name"], {"Range": "bytes=1000-1999"}, generation=item["generation"])
    assert (part.status_code, part.content) == (httpx.codes.PARTIAL_CONTENT, data[1000:2000])
    assert read(item["name"]).content == data
    other = str(int(item["generation"]) + 1)
    assert read(item["name"], generation=other).status_code == httpx.codes.NOT_FOUND
    assert read(f"{prefix}/none").status_code == httpx.codes.NOT_FOUND


def test_bytes_that_were_damaged_on_the_way_make_no_object(prefix: str) -> None:
    assert create(f"{prefix}/damaged", b"bytes", md5(b"others")).status_code == httpx.codes.BAD_REQUEST
    assert listed(f"{prefix}/") == {}


def test_of_those_who_create_an_object_at_once_one_succeeds(prefix: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        codes = [
            done.status_code for done in pool.map(lambda n: create(f"{prefix}/one", bytes([n])), range(8))
        ]
    assert sorted(codes) == [httpx.codes.OK, *[httpx.codes.PRECONDITION_FAILED] * 7]


def test_a_name_cannot_leave_the_folder_of_the_objects(prefix: str) -> None:
    name = f"{prefix}/{'../' * len(Path(interface.bucket(), prefix, 'in the folder').parts)}outside"
    assert create(name, b"written by a pod").status_code == httpx.codes.OK
    assert not (bucket.folder().parent / "outside").exists()
    (bucket.folder() / "outside").unlink()


def test_objects_survive_a_kill_and_a_stop(prefix: str) -> None:
    create(f"{prefix}/kept", b"kept")
    before = listed(f"{prefix}/")
    # What a server leaves that is killed after it has written an object's bytes and before their attributes.
    partial = bucket.folder() / interface.bucket() / prefix / ".kept1234"
    partial.write_bytes(b"half")
    kill("bucket")
    cluster.start()
    assert listed(f"{prefix}/") == before and not partial.exists()
    cluster.stop()
    assert "bucket" not in processes.daemons()
    cluster.start()
    assert listed(f"{prefix}/") == before and read(f"{prefix}/kept").content == b"kept"
