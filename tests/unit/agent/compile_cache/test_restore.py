"""Restoring a compile cache: whatever is wrong with store, archive or disk, the boot goes on and says why."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from agent.compile_cache import archive as archives
from agent.compile_cache import restore as restoring
from agent.compile_cache.restore import attempt, restore
from tests.unit.agent.bucket import BAKED, NAME, STORE, Bucket, archive, names

PROGRAM = "jit_a-cache"
ARCHIVE = archive({PROGRAM: "a program"})
SUM = sha256(ARCHIVE).hexdigest()


def test_an_archive_with_the_right_sum_is_restored(bucket: Bucket) -> None:
    bucket.put(ARCHIVE)
    folder = bucket.machine("m")
    restored = attempt(replace(STORE, sha256=SUM), folder)
    assert (restored.result, restored.sentence) == ("restored", "restored, 1 programs")
    assert (restored.archive, restored.sha256, restored.programs) == (NAME, SUM, 1)
    assert (folder / PROGRAM).read_text() == "a program"
    again = attempt(replace(STORE, sha256=SUM), folder)
    assert (again.result, again.sentence, again.sha256) == ("kept", "kept, 1 programs", SUM)


def forged(bucket: Bucket, _: pytest.MonkeyPatch) -> None:
    bucket.put(archive({PROGRAM: "forged"}))


def damaged(bucket: Bucket, _: pytest.MonkeyPatch) -> None:
    bucket.put(ARCHIVE[:1000])


def misplaced(bucket: Bucket, _: pytest.MonkeyPatch) -> None:
    bucket.put(archive({PROGRAM: "a program"}, fingerprint="fedcba9876543210"))


def down(bucket: Bucket, _: pytest.MonkeyPatch) -> None:
    bucket.faults(**{"127": 503})


def cut(bucket: Bucket, _: pytest.MonkeyPatch) -> None:
    bucket.put(ARCHIVE)
    bucket.faults(cut=NAME)


def lost(bucket: Bucket, _: pytest.MonkeyPatch) -> None:
    bucket.put(ARCHIVE)
    bucket.faults(corrupt=NAME)


def composite(bucket: Bucket, _: pytest.MonkeyPatch) -> None:
    bucket.put(ARCHIVE)
    bucket.faults(composite=NAME)


def no_room(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.put(ARCHIVE)
    usage = shutil.disk_usage(bucket.folder)._replace(free=len(ARCHIVE) * 2 - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)


def full(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.put(ARCHIVE)

    def unpack(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archives, "unpack", unpack)


def unplugged(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.put(ARCHIVE)
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if PROGRAM in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(5, "Input/output error")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)


CASES: tuple[tuple[Callable[[Bucket, pytest.MonkeyPatch], None], str | None, str], ...] = (
    (down, None, "HTTP 503: made to fail with 503"),
    (
        forged,
        SUM,
        f"gs://b/{NAME} is forged or damaged and not used: its SHA-256 is "
        f"{sha256(archive({PROGRAM: 'forged'})).hexdigest()[:8]}…, and the release's record says {SUM[:8]}…",
    ),
    (damaged, None, "the archive is damaged: "),
    (damaged, SUM, f"gs://b/{NAME} is forged or damaged and not used: "),
    (misplaced, None, f"gs://b/{NAME} is a server's cache of fedcba9876543210 and not used"),
    (cut, None, f"gs://b/{NAME} broke off 3 times at byte 0"),
    (lost, None, f"Damaged twice on the way: {NAME} in gs://b"),
    (composite, None, f"gs://b/{NAME} has no MD5"),
    (no_room, None, f"gs://b/{NAME} needs 0.00 GB of "),
    (full, None, "[Errno 28] No space left on device"),
    (unplugged, None, "[Errno 5] Input/output error"),
)


@pytest.mark.parametrize(("fault", "digest", "why"), CASES, ids=[row[0].__name__ for row in CASES])
def test_what_goes_wrong_is_a_sentence_and_an_empty_folder(
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[[Bucket, pytest.MonkeyPatch], None],
    digest: str | None,
    why: str,
) -> None:
    folder = bucket.machine("m")
    fault(bucket, monkeypatch)
    restored = attempt(replace(STORE, sha256=digest, baked=BAKED), folder)
    assert (restored.result, restored.sha256, restored.programs) == ("failed", None, 0)
    assert restored.sentence.startswith(f"not restored ({why}")
    assert restored.sentence.endswith("): this boot compiles")
    assert names(folder) == [] and names(folder.parent) == [".owner", "xla"]


def test_a_missing_archive_is_no_failure(bucket: Bucket) -> None:
    restored = attempt(STORE, bucket.machine("m"))
    assert (restored.result, restored.sentence) == ("none", f"none in gs://b/{NAME}: this boot compiles")


def test_a_recorded_release_without_an_archive_takes_no_other(bucket: Bucket) -> None:
    bucket.put(ARCHIVE)
    folder = bucket.machine("m")
    restored = attempt(replace(STORE, publish=False), folder)
    assert restored.sentence == "none in the release's record: this boot compiles"
    assert names(folder) == []


def test_a_disk_with_another_archive_s_programs_is_restored_again(bucket: Bucket) -> None:
    bucket.put(archive({PROGRAM: "forged"}))
    folder = bucket.machine("m")
    assert attempt(STORE, folder).result == "restored"
    bucket.put(ARCHIVE)
    assert attempt(replace(STORE, sha256=SUM), folder).result == "restored"
    assert (folder / PROGRAM).read_text() == "a program"


def test_what_this_disk_compiled_is_kept_whatever_the_record_says(bucket: Bucket) -> None:
    folder = bucket.machine("m", jit_b="compiled here")
    restored = attempt(replace(STORE, sha256=SUM), folder)
    assert (restored.result, restored.sha256) == ("kept", None)


def test_what_a_killed_restore_left_is_not_taken_for_programs(bucket: Bucket) -> None:
    bucket.put(ARCHIVE)
    folder = bucket.machine("m")
    work = folder.with_name(restoring.WORK)
    (work / "unpacked").mkdir(parents=True)
    (work / "unpacked" / "jit_b-cache").write_text("half")
    (work / "archive").write_text("half")
    assert attempt(STORE, folder).result == "restored"
    assert names(folder) == [PROGRAM] and not work.exists()


def test_a_store_that_hangs_ends_at_the_deadline(bucket: Bucket) -> None:
    bucket.put(ARCHIVE)
    bucket.faults(hold_from=0)
    folder = bucket.machine("m")
    restored = restore(replace(STORE, baked=BAKED), folder, seconds=2)
    said = "not restored (gs://b took more than 2 s): this boot compiles"
    assert (restored.result, restored.sentence) == ("failed", said)
    assert names(folder) == [] and names(folder.parent) == [".owner", "xla"]


def test_a_process_that_ends_without_a_result_is_a_miss(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    restored = restore(STORE, bucket.machine("m"))
    said = "not restored (its process ended without a result; the log says why): this boot compiles"
    assert (restored.result, restored.sentence) == ("failed", said)


def command(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the init container's command."""
    words = (sys.executable, "-m", "agent.compile_cache", *words)
    return subprocess.run(words, capture_output=True, text=True, check=False)


def settings(folder: Path, store: object) -> str:
    """Returns the file of a sidecar's settings; the status folder exists."""
    (folder / "status").mkdir()
    file = folder / "sidecar.json"
    cache = str(folder / "cache" / "xla")
    file.write_text(
        json.dumps({"store": store, "cache_folder": cache, "status_folder": str(folder / "status")})
    )
    return str(file)


def test_a_pod_restores_and_leaves_its_result(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put(ARCHIVE)
    fields = {**asdict(STORE), "sha256": SUM, "baseline": "b.json", "record": "r.json", "agent": "a.json"}
    done = command("restore", settings(tmp_path, fields))
    assert (done.returncode, done.stdout, done.stderr) == (0, "restored, 1 programs\n", "")
    result = json.loads((tmp_path / "status" / "cache-restore.json").read_text())
    assert result.pop("seconds") > 0
    expected: dict[str, Any] = {"result": "restored", "sentence": "restored, 1 programs", "archive": NAME}
    assert result == {**expected, "sha256": SUM, "programs": 1}
    assert names(tmp_path / "cache" / "xla") == [PROGRAM]


def test_a_pod_without_a_store_compiles(tmp_path: Path) -> None:
    done = command("restore", settings(tmp_path, None))
    assert (done.returncode, done.stdout, done.stderr) == (0, "no store: this boot compiles\n", "")
    assert json.loads((tmp_path / "status" / "cache-restore.json").read_text())["result"] == "none"


@pytest.mark.parametrize("text", [None, "", "[]", '{"store": null}', '{"store": {"bucket": "b"}}'])
def test_settings_that_cannot_be_read_end_no_boot(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "sidecar.json"
    if text is not None:
        file.write_text(text)
    done = command("restore", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{file} has no settings of a restore (")


def test_a_status_folder_that_is_missing_ends_no_boot(tmp_path: Path) -> None:
    file = settings(tmp_path, None)
    (tmp_path / "status").rmdir()
    done = command("restore", file)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"no store: this boot compiles; {tmp_path / 'status'} cannot be written (")
