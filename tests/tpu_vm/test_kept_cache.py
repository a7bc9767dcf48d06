"""A compile cache on a disk that outlives its release: it belongs to one release, whatever interrupts the
change."""

from pathlib import Path
from typing import Any

import pytest

from agent.vm import atomic_file, baked_cache_trial, compile_cache
from tests.tpu_vm.store import BUCKET, NAME, Store
from tests.tpu_vm.test_baked import BAKED, archive, bake, names, state

NEXT = NAME.replace("0123", "4567")
NEXT_BAKED = BAKED.replace("0123", "4567")


@pytest.fixture
def kept(store: Store) -> Path:
    """Returns the folder of a machine that has served a release and compiled for it."""
    folder = store.machine("m")
    assert compile_cache.restore(BUCKET, NAME, folder) == f"none in gs://{BUCKET}/{NAME}: this boot compiles"
    (folder / "jit_old-1-cache").write_text("of the first release")
    return folder


def test_the_next_release_begins_with_its_own_archive(store: Store, kept: Path, tmp_path: Path) -> None:
    bake(store, archive(tmp_path / "own", "of the second release"), NEXT)
    assert compile_cache.restore(BUCKET, NAME, kept) == "kept, 1 files"
    assert compile_cache.restore(BUCKET, NEXT, kept) == "restored, 2 files"
    assert names(kept) == ["jit_step-1-cache", "manifest.json"]
    assert compile_cache.restore(BUCKET, NEXT, kept) == "kept, 2 files"


def test_a_cache_that_nobody_has_noted_is_not_taken_for_this_release(store: Store) -> None:
    folder = store.machine("m", program="of whatever release")
    assert compile_cache.restore(BUCKET, NAME, folder) == f"none in gs://{BUCKET}/{NAME}: this boot compiles"
    assert names(folder) == []


def test_what_was_dropped_for_one_release_may_be_tried_for_the_next(
    store: Store, kept: Path, tmp_path: Path
) -> None:
    baked_cache_trial.marker(kept).write_text("dropped\n")
    assert baked_cache_trial.restore(BUCKET, NAME, BAKED, kept) == "kept, 1 files"
    assert state(kept) == "dropped"
    bake(store, archive(tmp_path / "baked", "baked"), NEXT_BAKED)
    assert baked_cache_trial.restore(BUCKET, NEXT, NEXT_BAKED, kept) == "baked, 1 programs, not yet tried"
    assert names(kept) == ["jit_step-1-cache", "manifest.json"] and state(kept) == "new"
    assert baked_cache_trial.restore(BUCKET, NEXT, NEXT_BAKED, kept) == "kept, 2 files"


STEPS = (("before anything", compile_cache, "empty"), ("before the note", atomic_file, "write"))


@pytest.mark.parametrize(("case", "module", "step"), STEPS, ids=[row[0] for row in STEPS])
def test_a_change_that_is_cut_off_is_begun_again(
    kept: Path, monkeypatch: pytest.MonkeyPatch, case: str, module: Any, step: str
) -> None:
    baked_cache_trial.marker(kept).write_text("dropped\n")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):

        def cut_off(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(module, step, cut_off)
        compile_cache.restore(BUCKET, NEXT, kept)
    (kept / "jit_left-1-cache").write_text("not deleted yet")
    assert compile_cache.restore(BUCKET, NEXT, kept) == f"none in gs://{BUCKET}/{NEXT}: this boot compiles", (
        case
    )
    assert names(kept) == [] and not baked_cache_trial.marker(kept).exists()


def test_a_disk_that_cannot_change_hands_serves_and_publishes_nothing(
    store: Store, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(compile_cache, "empty", broken)
    said = "not restored ([Errno 5] Input/output error): this boot compiles"
    assert compile_cache.restore(BUCKET, NEXT, kept) == said
    assert compile_cache.publish(BUCKET, NEXT, kept) == "not published: the cache is of another release"
    assert not any((store.folder / "objects" / BUCKET).iterdir())
