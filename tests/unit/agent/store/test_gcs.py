"""Requests to Cloud Storage: the identity goes to Google, and to nobody else."""

from pathlib import Path

import pytest

from agent.store import gcp_api, gcs
from agent.store.gcp_api import Status
from tests.unit.agent.bucket import STORE, Bucket


def test_an_emulator_gets_no_token(bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def token() -> str:
        raise AssertionError("a token was asked for")

    monkeypatch.setattr(gcp_api, "token", token)
    (tmp_path / "file").write_text("text")
    gcs.create(STORE.bucket, "a", tmp_path / "file")
    item = gcs.find(STORE.bucket, "a")
    assert item is not None
    gcs.download([(item, tmp_path / "copy")])
    assert (tmp_path / "copy").read_text() == "text" and gcs.read(STORE.bucket, "a") == b"text"


def test_google_gets_the_token(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    address = gcs._host()
    monkeypatch.delenv(gcs.EMULATOR)
    monkeypatch.setattr(gcs, "HOST", address)
    monkeypatch.setattr(gcp_api, "token", lambda: "t")
    # The bucket's fake refuses a token, which an emulator does not get.
    with pytest.raises(Status, match="HTTP 401: Request had invalid authentication credentials"):
        gcs.find(STORE.bucket, "a")


def test_an_object_is_found_by_its_whole_name(bucket: Bucket) -> None:
    bucket.put(b"", "xla/1.tar.old")
    assert gcs.find(STORE.bucket, "xla/1.tar") is None
    bucket.put(b"text", "xla/1.tar")
    item = gcs.find(STORE.bucket, "xla/1.tar")
    assert item is not None and item.size == 4
