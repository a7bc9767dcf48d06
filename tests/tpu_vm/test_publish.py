"""Publishing a compile cache to a fake Cloud Storage: once, complete, and never the cause of an outage."""

import shutil
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.vm import compile_cache
from tests.tpu_vm.store import BUCKET, NAME, Store


def publish(folder: Path) -> str:
    said = compile_cache.publish(BUCKET, NAME, folder)
    # Nothing is left beside the cache, whatever happened.
    assert [path.name for path in folder.parent.iterdir()] == ["xla"]
    return said


def zstandard(data: bytes) -> bytes:
    return subprocess.run(["zstd", "--stdout"], input=data, capture_output=True, check=True).stdout


def test_what_one_machine_publishes_another_restores(store: Store) -> None:
    first = store.machine("first", one="a program", two="another")
    assert publish(first) == "published, 2 files, 0.00 GB"
    second = store.machine("second")
    assert compile_cache.restore(BUCKET, NAME, second) == "restored, 2 files"
    assert {path.name: path.read_text() for path in second.iterdir()} == {
        "one": "a program",
        "two": "another",
    }


def test_it_is_published_once(store: Store) -> None:
    publish(store.machine("first", one="a program"))
    before = store.object.read_bytes()
    assert publish(store.machine("second", other="text")) == "published before"
    assert store.object.read_bytes() == before


def test_of_two_at_the_same_time_the_second_gets_a_report(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    rival = store.machine("rival", other="text")
    pack: Callable[[Path, Path], None] = compile_cache._pack

    def pack_while_the_rival_publishes(archive: Path, folder: Path) -> None:
        pack(archive, folder)
        monkeypatch.setattr(compile_cache, "_pack", pack)
        assert publish(rival).startswith("published, ")

    monkeypatch.setattr(compile_cache, "_pack", pack_while_the_rival_publishes)
    assert publish(store.machine("late", one="a program")) == "published meanwhile by another machine"
    restored = store.machine("third")
    compile_cache.restore(BUCKET, NAME, restored)
    assert [path.name for path in restored.iterdir()] == ["other"]


def test_a_rival_that_is_faster_during_the_upload_wins(store: Store) -> None:
    store.faults(rival=NAME)
    assert publish(store.machine("late", one="a program")) == "published meanwhile by another machine"
    assert store.object.read_text() == "a rival's"


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
    store: Store, case: str, faults: dict[str, Any], sentence: str
) -> None:
    store.faults(**faults)
    assert publish(store.machine("first", one="a program")) == sentence, case
    assert not store.object.exists()


def test_an_upload_that_breaks_off_starts_again(store: Store) -> None:
    store.faults(broken_uploads=2)
    assert publish(store.machine("first", one="a program")) == "published, 1 files, 0.00 GB"


def test_nothing_is_published_of_a_server_without_a_cache(store: Store) -> None:
    assert publish(store.machine("first")) == "nothing to publish: the server keeps no compile cache"
    assert not store.object.exists()


def test_a_cache_that_is_being_written_waits_for_the_next_boot(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = store.machine("first", one="a program")
    pack: Callable[[Path, Path], None] = compile_cache._pack

    def pack_while_it_compiles(archive: Path, folder: Path) -> None:
        pack(archive, folder)
        (folder / "one").write_text("a longer program")

    monkeypatch.setattr(compile_cache, "_pack", pack_while_it_compiles)
    assert publish(folder) == "not published: the server was compiling; the next boot does it"
    assert not store.object.exists()


def test_the_archive_does_not_fill_the_disk(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(store.folder)._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    folder = store.machine("first", one="a program")
    assert publish(folder) == "not published: the disk has no room for the archive"


def test_a_tar_that_fails_is_a_sentence(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 2, "", "tar: ./one: Cannot open: Permission denied\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    said = publish(store.machine("first", one="a program"))
    assert said == "not published (cannot be packed: tar: ./one: Cannot open: Permission denied)"


@pytest.mark.parametrize("data", [b"", b"this is no archive", b"\x28\xb5\x2f\xfdand then nothing"])
def test_a_damaged_archive_is_a_miss(store: Store, data: bytes) -> None:
    store.object.parent.mkdir()
    store.object.write_bytes(data)
    folder = store.machine("first")
    said = compile_cache.restore(BUCKET, NAME, folder)
    assert said.startswith("not restored (the archive is damaged: ") and said.endswith(": this boot compiles")
    assert list(folder.iterdir()) == []


def test_a_store_that_is_down_is_a_miss(store: Store) -> None:
    store.faults(**{"127": 503})
    said = compile_cache.restore(BUCKET, NAME, store.machine("first"))
    assert said == "not restored (HTTP 503: made to fail with 503): this boot compiles"


@pytest.mark.parametrize("pack", [zlib.compress, zstandard], ids=["zlib", "zstandard"])
def test_a_program_that_is_half_written_is_compiled_again(
    store: Store, pack: Callable[[bytes], bytes]
) -> None:
    folder = store.machine("m", manifest="no program")
    whole = pack(b"a program" * 1000)
    for length in range(len(whole) + 1):
        (folder / f"jit_{length}-cache").write_bytes(whole[:length])
    said = f"{len(whole)} half-written programs deleted: this start compiles them"
    assert compile_cache.delete_broken(folder) == said
    assert {path.name for path in folder.iterdir()} == {"manifest", f"jit_{len(whole)}-cache"}
    assert compile_cache.delete_broken(folder) is None
