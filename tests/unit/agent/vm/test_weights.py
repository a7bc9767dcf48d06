"""Weights and caches on a disk that loses power, and failing downloads, with a fake store."""

import json
import os
from pathlib import Path

import pytest

from agent.store import gcs
from agent.store.gcp_api import Problem, Status
from agent.vm import weights
from tests.unit.agent.bucket import STORE, Bucket

PREFIX = "weights/0123abc/m/"


@pytest.fixture
def folder(bucket: Bucket, tmp_path: Path) -> Path:
    """Returns the folder where a machine keeps the model that the store has."""
    bucket.put(b"w" * 1000, f"{PREFIX}model.safetensors")
    return tmp_path / "models" / "m"


def stage(folder: Path) -> str:
    return weights.stage(STORE.bucket, PREFIX, folder)


@pytest.mark.parametrize("left", ["", "\0\0\0\0", "null", "{}", '{"origin'])
def test_a_note_that_a_power_cut_has_damaged_is_written_again(folder: Path, left: str) -> None:
    assert stage(folder) == "1 files, 0.00 GB"
    (folder / weights.MARKER).write_text(left)
    before = (folder / "model.safetensors").stat()
    assert stage(folder) == "1 files, 0.00 GB"
    # The files are complete and not downloaded again.
    assert (folder / "model.safetensors").stat() == before
    assert stage(folder) == "kept"


SHARDS = [f"model-{number:05d}-of-00003.safetensors" for number in (1, 2, 3)]
LIST = "weights/0123abc/m.manifest.json"


def listed(*paths: str) -> bytes:
    return json.dumps({"files": [{"path": path} for path in paths]}).encode()


@pytest.mark.parametrize(
    ("present", "manifest", "sentence"),
    [
        ([], None, "holds no weights: stage them there"),
        (["config.json"], None, "holds no weights: stage them there"),
        (
            SHARDS[:1],
            None,
            r"lacks 2 of 3 files, the first of them model-00002-of-00003\.saf.+: wait for",
        ),
        (SHARDS[1:], b"{damaged", "lacks 1 of 3 files, the first of them model-00001-of-00003"),
        (SHARDS, listed(*SHARDS, "tokenizer.json"), r"lacks 1 of 4 files, the first of them tokenizer\.json"),
    ],
)
def test_a_part_of_the_weights_is_refused_before_a_download(
    bucket: Bucket, tmp_path: Path, present: list[str], manifest: bytes | None, sentence: str
) -> None:
    for name in present:
        bucket.put(b"w", f"{PREFIX}{name}")
    if manifest:
        bucket.put(manifest, LIST)
    folder = tmp_path / "models" / "m"
    with pytest.raises(Problem, match=sentence):
        stage(folder)
    assert not folder.exists()
    for name in SHARDS:
        bucket.put(b"w", f"{PREFIX}{name}")
    bucket.put(b"{}", f"{PREFIX}tokenizer.json")
    count = len({*present, *SHARDS, "tokenizer.json"})
    assert stage(folder) == f"{count} files, 0.00 GB"


def test_an_object_that_has_changed_is_downloaded_again_and_no_other(bucket: Bucket, folder: Path) -> None:
    bucket.put(b"{}", f"{PREFIX}config.json")
    bucket.put(b"old", f"{PREFIX}.gitattributes")
    bucket.put(b"old", f"{PREFIX}gone.json")
    assert stage(folder) == "4 files, 0.00 GB"
    before = (folder / "model.safetensors").stat()
    bucket.put(b'{"a": 1}', f"{PREFIX}config.json")
    bucket.put(b"new", f"{PREFIX}.gitattributes")
    bucket.put(b"new", f"{PREFIX}tokenizer.json")
    bucket.remove(f"{PREFIX}gone.json")
    assert stage(folder) == "4 files, 0.00 GB"
    assert (folder / "model.safetensors").stat() == before
    assert (folder / ".gitattributes").read_bytes() == b"new"
    assert {file.name: file.read_bytes() for file in folder.glob("*.json")} == {
        "config.json": b'{"a": 1}',
        "tokenizer.json": b"new",
    }
    assert stage(folder) == "kept"


def test_complete_weights_do_not_need_the_bucket(
    bucket: Bucket, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage(folder)
    bucket.remove(f"{PREFIX}model.safetensors")
    assert stage(folder).startswith(f"kept; gs://{STORE.bucket}/{PREFIX} holds no weights")

    def forbidden(bucket: str, prefix: str) -> None:
        raise Status(403, "no")

    monkeypatch.setattr(gcs, "objects", forbidden)
    monkeypatch.setattr(weights, "account", lambda: "vm@p.iam")
    assert stage(folder).startswith("kept; vm@p.iam may not read")
    assert (folder / "model.safetensors").stat().st_size == 1000


def cut_power(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Make every write to disk below a path with `name` in it fail from now on."""
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if name in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(5, "Input/output error")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)


def test_a_note_has_its_name_only_when_its_text_is_on_the_disk(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_power(monkeypatch, weights.MARKER)
    with pytest.raises(OSError, match="Input/output error"):
        stage(folder)
    assert not (folder / weights.MARKER).exists()


def test_the_first_part_that_cannot_be_had_ends_the_download(
    bucket: Bucket, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gcs, "PART_BYTES", 10)
    monkeypatch.setattr(gcs, "STREAMS", 2)
    real, asked = gcs._read, list[int]()

    def read(item: gcs.Object, start: int, size: int) -> bytes:
        asked.append(start)
        if start == 20:
            raise Problem("gone")
        return real(item, start, size)

    monkeypatch.setattr(gcs, "_read", read)
    with pytest.raises(Problem, match="gone"):
        stage(folder)
    # Only the parts that were being downloaded then, of a hundred.
    assert len(asked) < 10
    # The parts that have arrived are kept.
    monkeypatch.setattr(gcs, "_read", real)
    before = len(asked) - 1
    begun = list(gcs._parts(next(gcs.objects(STORE.bucket, PREFIX)), folder / "model.safetensors"))
    assert len(begun) == 100 - before
    assert stage(folder) == "1 files, 0.00 GB"


def test_a_checkpoint_is_compared_before_its_weights_are_downloaded(bucket: Bucket, folder: Path) -> None:
    expect = json.dumps(
        {
            "model": "m",
            "weight_bytes": 1000,
            "architectures": ["A"],
            "text_config": {"hidden_size": 8},
            "full_attention": {"layers": [0], "head_dim": 2, "num_key_value_heads": 1},
            "max_model_len": 16,
        }
    )
    with pytest.raises(
        Problem, match=r"is no checkpoint of m: it has no config\.json; stage another revision"
    ):
        weights.stage(STORE.bucket, PREFIX, folder, expect)
    bucket.put(json.dumps({"architectures": ["B"]}).encode(), f"{PREFIX}config.json")
    with pytest.raises(Problem, match=r"config\.json has architectures \['B'\], not \['A'\]"):
        weights.stage(STORE.bucket, PREFIX, folder, expect)
    assert not (folder / "model.safetensors").exists()
    text = {
        "hidden_size": 8,
        "layer_types": ["full_attention"],
        "per_layer_config": {"0": {"head_dim": 2, "num_key_value_heads": 1}},
        "max_position_embeddings": 16,
    }
    good = {"architectures": ["A"], "text_config": text}
    bucket.put(json.dumps(good).encode(), f"{PREFIX}config.json")
    assert weights.stage(STORE.bucket, PREFIX, folder, expect) == "2 files, 0.00 GB"
    assert (folder / "model.safetensors").stat().st_size == 1000
