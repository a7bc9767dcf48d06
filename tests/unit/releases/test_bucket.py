"""Reader of the artifact bucket: Google's own client, and one sentence for each way in which it fails."""

from datetime import UTC, datetime

import google.auth.exceptions
import pytest
from google.cloud.storage.retry import DEFAULT_RETRY

from config.settings import Settings
from local import interface
from releases import bucket as module
from releases.bucket import Bucket, bucket_of
from tests.unit.releases.object_store import object_store
from tools.support.errors import Refusal

NAME = "a-project-tpuserve"
OBJECTS = {"releases/b.json": b"{}", "releases/a.json": b"[1]", "agents/a.json": b"", "xla/f.tar": b"tar"}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try every request once; the machine may have neither credentials nor an emulator."""
    monkeypatch.setattr(module, "RETRY", DEFAULT_RETRY.with_timeout(0))
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)


def test_objects_are_listed_and_read() -> None:
    with object_store(NAME, OBJECTS) as url:
        bucket = Bucket(NAME, url)
        assert bucket.names("releases/") == ["releases/a.json", "releases/b.json"]
        assert bucket.read("releases/a.json") == b"[1]" and bucket.read("agents/a.json") == b""
        assert bucket.read("releases/c.json") is None


def test_the_emulator_of_googles_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with object_store(NAME, OBJECTS) as url:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        assert Bucket(NAME).read("releases/b.json") == b"{}"


def test_an_object_is_deleted_unless_it_was_written_after_it_was_listed() -> None:
    objects = dict(OBJECTS)
    with object_store(NAME, objects) as url:
        bucket = Bucket(NAME, url)
        listed = bucket.objects()
        assert [each.name for each in listed] == sorted(OBJECTS) and [each.bytes for each in listed][-1] == 3
        assert {each.created for each in listed} == {datetime(2020, 1, 1, tzinfo=UTC)}
        objects["xla/f.tar"] = b"published by a server meanwhile"
        assert [bucket.delete(each) for each in listed] == [True, True, True, False]
        assert objects == {"xla/f.tar": b"published by a server meanwhile"}
        assert bucket.delete(listed[0])  # again, as after an interruption


def test_a_missing_right_to_delete_is_said() -> None:
    objects = dict(OBJECTS)
    with object_store(NAME, objects, delete_status=403) as url:
        bucket = Bucket(NAME, url)
        with pytest.raises(Refusal) as caught:
            bucket.delete(bucket.objects()[0])
    assert objects == OBJECTS and str(caught.value) == (
        f"Google does not let you delete from the bucket gs://{NAME}: ask its owner for "
        "roles/storage.objectUser on it."
    )


def refused(bucket: Bucket) -> set[str]:
    """Returns the sentences with which every way to read fails."""
    found: set[str] = set()
    for read in (bucket.objects, lambda: bucket.names("releases/"), lambda: bucket.read("releases/a.json")):
        with pytest.raises(Refusal) as caught:
            read()
        found.add(str(caught.value))
    return found


def test_a_bucket_that_is_not_there_is_said() -> None:
    with object_store("other", OBJECTS) as url:
        assert refused(Bucket(NAME, url)) == {
            f"There is no bucket gs://{NAME}: deploy the stack's foundation first (docs/operations.md), or "
            "fix target.project."
        }


def test_a_missing_right_is_said() -> None:
    with object_store(NAME, OBJECTS, status=403) as url:
        assert refused(Bucket(NAME, url)) == {
            f"Google does not let you read the bucket gs://{NAME}: ask its owner for "
            "roles/storage.objectViewer on it."
        }


@pytest.mark.parametrize("status", [None, 503])
def test_a_store_that_does_not_answer_is_said(status: int | None) -> None:
    with object_store(NAME, OBJECTS, status=status) as url:
        live = refused(Bucket(NAME, url)) if status else set[str]()
    for sentence in live or refused(Bucket(NAME, url)):
        assert sentence.startswith(f"{url} did not give an answer about the bucket gs://{NAME} (")
        assert sentence.endswith("): run `make up`, which starts it.") and "\n" not in sentence


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            google.auth.exceptions.DefaultCredentialsError("none"),
            f"Reading the bucket gs://{NAME} needs Google credentials, and this machine has none that work: "
            "run `gcloud auth application-default login`.",
        ),
        (
            google.auth.exceptions.TransportError("no host"),
            f"Cloud Storage did not give an answer about the bucket gs://{NAME} (TransportError): run the "
            "same command again.",
        ),
    ],
)
def test_a_login_that_cannot_be_had_is_said(
    error: Exception, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_login(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("google.auth.default", no_login)
    assert refused(Bucket(NAME)) == {sentence}


def settings(target: dict[str, object]) -> Settings:
    return Settings.parse({"target": target})


def test_a_stack_has_the_bucket_of_its_foundation_or_of_the_local_cluster() -> None:
    place = {"project": "a-project", "zone": "us-east5-b", "capacity": {"kind": "spot"}}
    for kind in ("gke", "tpu-vm"):
        assert bucket_of(settings({"kind": kind, **place})) == Bucket(NAME)
    local = Bucket(interface.bucket(), interface.storage_url())
    assert bucket_of(settings({"kind": "local"})) == local
    with pytest.raises(Refusal, match="has no bucket, so no release of it is recorded: name another stack"):
        bucket_of(settings({"kind": "local", "kubeconfig": "/a"}))
