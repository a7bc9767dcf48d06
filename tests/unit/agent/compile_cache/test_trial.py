"""A baked compile cache on trial: used first, kept when it serves, deleted when the server ends on it."""

from dataclasses import replace
from pathlib import Path

import pytest

from agent.compile_cache import trial
from agent.compile_cache.publish import publish
from agent.compile_cache.restore import attempt
from agent.store import atomic_file
from tests.unit.agent.bucket import BAKED, NAME, STORE, Bucket, archive, names

TRIED = replace(STORE, baked=BAKED)
PROGRAM = "jit_step-1-cache"


def restore(folder: Path) -> str:
    return attempt(TRIED, folder).sentence


@pytest.fixture
def folder(bucket: Bucket) -> Path:
    """Returns the cache of a new machine, for which the bucket has a baked one."""
    bucket.put(archive({PROGRAM: "baked"}, BAKED), BAKED)
    return bucket.machine("m")


@pytest.fixture
def tried(folder: Path) -> Path:
    """Returns the cache of a machine whose server has started on a baked one and has compiled a helper
    itself."""
    assert restore(folder) == "baked, 1 programs, not yet tried"
    assert trial.start(folder) is None
    (folder / "jit_add-2-cache").write_text("compiled here")
    return folder


def test_a_cache_that_a_server_published_goes_first(bucket: Bucket, folder: Path) -> None:
    bucket.put(archive({PROGRAM: "compiled"}))
    assert restore(folder) == "restored, 1 programs"
    assert (folder / PROGRAM).read_text() == "compiled"
    assert trial.start(folder) is None and trial.ready(folder, 0) is None


def test_without_either_the_boot_compiles(bucket: Bucket) -> None:
    folder = bucket.machine("m")
    assert attempt(TRIED, folder).result == "none"
    assert restore(folder) == f"none in gs://b/{BAKED}: this boot compiles"
    assert trial.start(folder) is None and trial.state(folder) == ""


NOT_BAKED = (
    ("another's", {"fingerprint": "fedc"}, "is a baked cache of fedc and not used"),
    ("a server's", {"baked": False}, "is a server's cache of 0123456789abcdef and not used"),
)


@pytest.mark.parametrize(("case", "change", "why"), NOT_BAKED, ids=[row[0] for row in NOT_BAKED])
def test_what_nobody_baked_is_not_begun_with(
    bucket: Bucket, folder: Path, case: str, change: dict[str, object], why: str
) -> None:
    bucket.put(archive({PROGRAM: "?"}, BAKED, **change), BAKED)
    assert restore(folder) == f"not restored (gs://b/{BAKED} {why}): this boot compiles", case
    assert names(folder) == [] and trial.state(folder) == ""


def test_a_baked_cache_in_the_place_of_a_server_s_is_not_used_untried(bucket: Bucket, folder: Path) -> None:
    bucket.put(archive({PROGRAM: "baked"}, NAME, baked=True))
    why = f"gs://b/{NAME} is a baked cache of 0123456789abcdef and not used"
    assert restore(folder) == f"not restored ({why}): this boot compiles"


def test_a_restore_that_is_cut_off_leaves_no_programs_without_a_trial(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.rename

    def cut_off(path: Path, target: Path) -> Path:
        moved = real(path, target)
        if target == folder:
            raise KeyboardInterrupt
        return moved

    monkeypatch.setattr(Path, "rename", cut_off)
    with pytest.raises(KeyboardInterrupt):
        restore(folder)
    assert names(folder) == [PROGRAM]
    assert trial.start(folder) is None
    assert trial.state(folder) == "tried"
    assert trial.ready(folder, 0) == "baked, all 1 programs serve"


def test_a_disk_that_cannot_note_a_trial_begins_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic_file, "write", full)
    assert restore(folder) == "not restored ([Errno 28] No space left on device): this boot compiles"
    assert names(folder) == []


def test_a_trial_that_serves_is_a_cache_like_any_other(tried: Path) -> None:
    assert trial.ready(tried, 1) == "baked, all 1 programs serve"
    assert names(tried) == ["jit_add-2-cache", "jit_step-1-cache"]
    assert trial.start(tried) is None and trial.unfit(tried) is None
    assert restore(tried) == "kept, 2 programs"
    # Not the baked archive's any more: a server's, which is published.
    assert publish(TRIED, tried).result == "published"


def test_keys_that_the_host_computes_otherwise(tried: Path) -> None:
    (tried / "jit_step-7-cache").write_text("the same program under another key")
    said = "baked, and 1 programs have other keys here: all baked ones are deleted"
    assert trial.ready(tried, 2) == said
    # The remaining programs are complete and fit to publish.
    assert names(tried) == ["jit_add-2-cache", "jit_step-7-cache"]
    assert trial.unfit(tried) is None


def test_programs_that_did_not_load_are_not_published(tried: Path) -> None:
    said = "baked, and 1 programs did not load: all baked ones are deleted"
    assert trial.ready(tried, 2) == said
    assert names(tried) == ["jit_add-2-cache"]
    why = "not published: what did not load is missing; the next boot compiles it"
    assert trial.unfit(tried) == why
    # The next start publishes, and uses no baked cache, even on an empty disk.
    assert trial.start(tried) is None and trial.unfit(tried) is None
    for file in tried.iterdir():
        file.unlink()
    assert restore(tried) == f"none in gs://b/{NAME}: this boot compiles"


def test_a_server_that_does_not_tell_is_not_taken_for_one_that_loads(tried: Path) -> None:
    said = "baked, and the server does not report what it loaded: all baked ones are deleted"
    assert trial.ready(tried, None) == said
    assert names(tried) == ["jit_add-2-cache"]
    assert str(trial.unfit(tried)).startswith("not published: ")


def test_a_second_start_without_an_answer_drops_it_for_good(tried: Path) -> None:
    said = "baked cache dropped: the server ended before it was ready; this start compiles"
    assert trial.start(tried) == said
    assert names(tried) == [] and trial.state(tried) == "dropped"
    assert trial.start(tried) is None
    assert restore(tried) == f"none in gs://b/{NAME}: this boot compiles"


def test_an_unproven_cache_is_not_published(folder: Path) -> None:
    restore(folder)
    for state in ("new", "tried"):
        assert trial.state(folder) == state
        said = publish(TRIED, folder)
        assert (said.result, said.sentence) == (
            "skipped",
            "not published: the trial of the baked cache has no result",
        )
        trial.start(folder)


def test_a_boot_that_is_run_again_keeps_a_running_trial(tried: Path) -> None:
    assert restore(tried) == "kept, 2 programs"
    assert trial.state(tried) == "tried"


def test_a_server_that_somebody_stops_has_not_failed(tried: Path) -> None:
    trial.stop(tried)
    assert trial.start(tried) is None
    assert names(tried) == ["jit_add-2-cache", "jit_step-1-cache"]
    assert trial.state(tried) == "tried"


def test_a_server_that_was_not_ready_in_time_is_started_once_more(tried: Path) -> None:
    # Stopping a server that hangs is the same stop as any other.
    trial.stop(tried)
    said = "baked cache dropped: the server was not ready in time; this start compiles"
    assert trial.give_up(tried) == said
    assert names(tried) == [] and trial.give_up(tried) is None
    assert trial.start(tried) is None
