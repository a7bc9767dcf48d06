"""A compile cache on a disk that outlives its release: it belongs to one release, whatever interrupts the
change."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.compile_cache import folder as folders
from agent.compile_cache import trial
from agent.compile_cache.publish import publish
from agent.compile_cache.restore import attempt
from agent.store import atomic_file
from tests.unit.agent.bucket import BAKED, NAME, STORE, Bucket, archive, names

NEXT = replace(STORE, archive=NAME.replace("0123", "4567"))
NEXT_BAKED = BAKED.replace("0123", "4567")
NONE = f"none in gs://b/{NEXT.archive}: this boot compiles"


@pytest.fixture
def kept(bucket: Bucket) -> Path:
    """Returns the folder of a machine that has served a release and compiled for it."""
    folder = bucket.machine("m")
    assert attempt(STORE, folder).result == "none"
    (folder / "jit_old-1-cache").write_text("of the first release")
    return folder


def test_the_next_release_begins_with_its_own_archive(bucket: Bucket, kept: Path) -> None:
    bucket.put(archive({"jit_step-1-cache": "of the second release"}, NEXT.archive), NEXT.archive)
    assert attempt(STORE, kept).sentence == "kept, 1 programs"
    assert attempt(NEXT, kept).sentence == "restored, 1 programs"
    assert names(kept) == ["jit_step-1-cache"]
    assert attempt(NEXT, kept).sentence == "kept, 1 programs"


def test_a_cache_that_nobody_has_noted_is_not_taken_for_this_release(bucket: Bucket) -> None:
    folder = bucket.machine("m", jit_a="of whatever release")
    folder.with_name(folders.OWNER).unlink()
    assert publish(STORE, folder).sentence == "not published: the cache is of another release"
    assert attempt(STORE, folder).result == "none"
    assert names(folder) == []


def test_what_was_dropped_for_one_release_may_be_tried_for_the_next(bucket: Bucket, kept: Path) -> None:
    trial.marker(kept).write_text("dropped\n")
    assert attempt(replace(STORE, baked=BAKED), kept).sentence == "kept, 1 programs"
    assert trial.state(kept) == "dropped"
    bucket.put(archive({"jit_step-1-cache": "baked"}, NEXT_BAKED), NEXT_BAKED)
    store = replace(NEXT, baked=NEXT_BAKED)
    assert attempt(store, kept).sentence == "baked, 1 programs, not yet tried"
    assert names(kept) == ["jit_step-1-cache"] and trial.state(kept) == "new"
    assert attempt(store, kept).sentence == "kept, 1 programs"


STEPS = (("before anything", folders, "empty"), ("before the note", atomic_file, "write"))


@pytest.mark.parametrize(("case", "module", "step"), STEPS, ids=[row[0] for row in STEPS])
def test_a_change_that_is_cut_off_is_begun_again(
    kept: Path, monkeypatch: pytest.MonkeyPatch, case: str, module: Any, step: str
) -> None:
    trial.marker(kept).write_text("dropped\n")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):

        def cut_off(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(module, step, cut_off)
        attempt(NEXT, kept)
    (kept / "jit_left-1-cache").write_text("not deleted yet")
    assert attempt(NEXT, kept).sentence == NONE, case
    assert names(kept) == [] and trial.state(kept) == ""


def test_a_disk_that_cannot_change_hands_serves_and_publishes_nothing(
    bucket: Bucket, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(folders, "empty", broken)
    assert attempt(NEXT, kept).sentence == "not restored ([Errno 5] Input/output error): this boot compiles"
    assert publish(NEXT, kept).sentence == "not published: the cache is of another release"
    assert not any((bucket.folder / "objects" / STORE.bucket).iterdir())


@pytest.mark.parametrize("note", ["", "{", "[]", '{"archive": "xla/0.tar"}'])
def test_a_note_that_a_power_cut_has_damaged_names_no_source(kept: Path, note: str) -> None:
    kept.with_name(folders.SOURCE).write_text(note)
    assert attempt(STORE, kept).sha256 is None
