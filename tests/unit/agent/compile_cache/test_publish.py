"""Publishing a compile cache to a fake Cloud Storage: once, complete, and never the cause of an outage."""

import json
import shutil
import zlib
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from agent.compile_cache import archive as archives
from agent.compile_cache.publish import publish as publish_cache
from agent.compile_cache.records import Published
from agent.compile_cache.restore import attempt
from tests.unit.agent.bucket import NAME, STORE, Bucket, archive


def publish(folder: Path) -> Published:
    published = publish_cache(STORE, folder)
    # Nothing is left beside the cache, whatever happened.
    assert {path.name for path in folder.parent.iterdir()} <= {"xla", ".owner", ".source"}
    return published


def test_what_one_machine_publishes_another_restores(bucket: Bucket) -> None:
    first = publish(bucket.machine("first", jit_a="a program", jit_b="another"))
    assert (first.result, first.sentence) == ("published", "published, 2 programs, 0.00 GB")
    data = bucket.object.read_bytes()
    assert (first.sha256, first.bytes) == (sha256(data).hexdigest(), len(data))
    second = bucket.machine("second")
    restored = attempt(replace(STORE, sha256=first.sha256), second)
    assert (restored.result, restored.sha256) == ("restored", first.sha256)
    found = {path.name: path.read_text() for path in second.iterdir()}
    assert found == {"jit_a-cache": "a program", "jit_b-cache": "another"}


def test_it_is_published_once(bucket: Bucket) -> None:
    first = bucket.machine("first", jit_a="a program")
    published = publish(first)
    before = bucket.object.read_bytes()
    again = publish(first)
    assert (again.result, again.sha256) == ("before", published.sha256)
    # The second machine compiled its own programs, and does not know who made the archive.
    other = publish(bucket.machine("second", jit_a="text"))
    assert (other.result, other.sha256) == ("before", None)
    assert bucket.object.read_bytes() == before


def test_one_that_restored_it_knows_its_sum(bucket: Bucket) -> None:
    published = publish(bucket.machine("first", jit_a="a program"))
    second = bucket.machine("second")
    attempt(STORE, second)
    (second / "jit_late-cache").write_text("compiled for a request")
    assert publish(second).sha256 == published.sha256
    # Somebody replaces the object afterwards.
    bucket.put(archive({"jit_a-cache": "forged"}))
    assert (publish(second).result, publish(second).sha256) == ("before", None)


def test_what_a_restore_refused_is_not_published_as_ours(bucket: Bucket) -> None:
    bucket.put(archive({"jit_a-cache": "forged"}))
    folder = bucket.machine("m")
    assert attempt(replace(STORE, sha256="0" * 64), folder).result == "failed"
    (folder / "jit_a-cache").write_text("compiled here")
    before = bucket.object.read_bytes()
    assert (publish(folder).result, publish(folder).sha256) == ("before", None)
    bucket.object.unlink()
    assert publish(folder).result == "published"
    assert b"compiled here" in bucket.object.read_bytes() and b"forged" in before


def test_of_two_at_the_same_time_the_second_gets_a_report(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    rival = bucket.machine("rival", jit_b="text")
    pack = archives.pack

    def pack_while_the_rival_publishes(archive: Path, files: Sequence[Path], fingerprint: str) -> None:
        pack(archive, files, fingerprint)
        monkeypatch.setattr(archives, "pack", pack)
        assert publish(rival).result == "published"

    monkeypatch.setattr(archives, "pack", pack_while_the_rival_publishes)
    late = publish(bucket.machine("late", jit_a="a program"))
    assert (late.result, late.sentence) == ("before", "published meanwhile by another machine")
    restored = bucket.machine("third")
    attempt(STORE, restored)
    assert [path.name for path in restored.iterdir()] == ["jit_b-cache"]


def test_a_rival_that_is_faster_during_the_upload_wins(bucket: Bucket) -> None:
    bucket.faults(rival=NAME)
    late = publish(bucket.machine("late", jit_a="a program"))
    assert late.sentence == "published meanwhile by another machine"
    assert bucket.object.read_text() == "a rival's"


REFUSED = (
    ("the store is down", {"127": 503}, "not published (HTTP 503: made to fail with 503)"),
    ("it goes down before the upload", {"upload": 503}, "not published (HTTP 503: made to fail with 503)"),
    (
        "no permission to write",
        {"upload": 403},
        "not published (HTTP 403: made to fail with 403): grant vm@p.iam roles/storage.objectCreator on "
        "gs://b below xla/",
    ),
    (
        "every upload breaks off",
        {"broken_uploads": 9},
        f"not published (gs://b/{NAME}: the upload broke off 3 times)",
    ),
    (
        "bytes are lost on the way",
        {"corrupt": NAME},
        "not published (HTTP 400: Provided MD5 hash does not match calculated MD5 hash.)",
    ),
)


@pytest.mark.parametrize(("case", "faults", "sentence"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_goes_wrong_is_a_sentence_and_no_object(
    bucket: Bucket, case: str, faults: dict[str, Any], sentence: str
) -> None:
    bucket.faults(**faults)
    published = publish(bucket.machine("first", jit_a="a program"))
    assert (published.result, published.sentence, published.sha256) == ("failed", sentence, None), case
    assert not bucket.object.exists()


def test_an_upload_that_breaks_off_starts_again(bucket: Bucket) -> None:
    bucket.faults(broken_uploads=2)
    assert publish(bucket.machine("first", jit_a="a program")).result == "published"


def test_an_upload_that_arrives_and_whose_answer_is_lost_is_ours(bucket: Bucket) -> None:
    bucket.faults(lost_answer=NAME)
    published = publish(bucket.machine("first", jit_a="a program"))
    assert (published.result, published.archive) == ("published", NAME)
    assert published.sha256 == sha256(bucket.object.read_bytes()).hexdigest()


def test_nothing_is_published_of_a_server_without_a_cache(bucket: Bucket) -> None:
    published = publish(bucket.machine("first"))
    assert (published.result, published.sentence) == (
        "skipped",
        "nothing to publish: the server keeps no compile cache",
    )
    assert not bucket.object.exists()


def test_a_server_that_only_reads_publishes_nothing(bucket: Bucket) -> None:
    published = publish_cache(replace(STORE, publish=False), bucket.machine("first", jit_a="a program"))
    assert (published.result, published.sentence) == (
        "skipped",
        "not published: this server only reads the bucket",
    )
    assert not bucket.object.exists()


def test_a_cache_that_is_being_written_is_not_published_yet(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = bucket.machine("first", jit_a="a program")
    pack = archives.pack

    def pack_while_it_compiles(archive: Path, files: Sequence[Path], fingerprint: str) -> None:
        pack(archive, files, fingerprint)
        (folder / "jit_a-cache").write_text("a longer program")

    monkeypatch.setattr(archives, "pack", pack_while_it_compiles)
    said = "not published: the server was compiling; it is tried again"
    assert publish(folder).sentence == said
    assert not bucket.object.exists()


def test_a_program_of_which_half_is_there_is_not_published(bucket: Bucket) -> None:
    folder = bucket.machine("first", jit_a="a program")
    (folder / "jit_b-cache").write_bytes(zlib.compress(b"another")[:-1])
    said = "not published: the server was compiling; it is tried again"
    assert publish(folder).sentence == said
    assert not bucket.object.exists()


def test_the_archive_does_not_fill_the_disk(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(bucket.folder)._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    folder = bucket.machine("first", jit_a="a program")
    assert publish(folder).sentence == "not published: the disk has no room for the archive"


def test_a_program_that_cannot_be_read_is_a_sentence(bucket: Bucket) -> None:
    folder = bucket.machine("first")
    (folder / "jit_a-cache").mkdir()
    said = publish(folder)
    assert (said.result, said.sentence.partition(":")[0]) == (
        "failed",
        "not published ([Errno 21] Is a directory",
    )


def test_the_result_is_a_file(tmp_path: Path) -> None:
    Published("failed", "why", NAME).write(tmp_path)
    assert json.loads((tmp_path / "cache-publish.json").read_text()) == {
        "result": "failed",
        "sentence": "why",
        "archive": NAME,
        "sha256": None,
        "programs": 0,
        "bytes": 0,
        "seconds": 0,
    }
