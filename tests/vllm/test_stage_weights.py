"""The weights Job's program with its real libraries, between a fake Hugging Face and a fake bucket."""

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from agent import weights_job
from local import image
from tests.vllm.weight_stores import REVISION, World, serving

PREFIX = f"weights/{REVISION}/tiny"
MANIFEST = f"{PREFIX}.manifest.json"
TOKEN = "hf_not-a-real-token"
WEIGHTS = os.urandom(9 * 2**20)
"""Large enough for an upload in pieces (above 8 MiB)."""


@pytest.fixture
def world() -> Iterator[World]:
    files = {"config.json": b"{}", "model-1.safetensors": WEIGHTS, "sub/empty.txt": b""}
    with serving(World(files)) as world:
        yield world


def stage(
    world: World, tmp_path: Path, token_text: str | None = TOKEN + "\n", expect: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run the program as the Job does, in the server's environment; None means that the token file is
    missing."""
    token = tmp_path / "token"
    if token_text is not None:
        token.write_text(token_text, "utf-8")
    for path, text in weights_job.files().items():
        (tmp_path / "script" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "script" / path).write_text(text, "utf-8")
    program = [image.environment() / "bin" / "python", "-m", "agent.weights_job.stage_weights"]
    what = ["--repository", "google/tiny", "--revision", REVISION]
    where = ["--bucket", "bucket", "--prefix", PREFIX, "--token-file", token]
    return subprocess.run(
        [*program, *what, *where, *expect],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PYTHONPATH": str(tmp_path / "script"),
            "HF_ENDPOINT": world.address,
            "STORAGE_EMULATOR_HOST": world.address,
            "GOOGLE_CLOUD_PROJECT": "nobody",
        },
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def kept(world: World) -> dict[str, bytes]:
    """Returns the bucket's objects of the copy, without its list."""
    return {name: data for name, (data, _) in world.objects.items() if name != MANIFEST}


def test_every_file_arrives_and_the_token_stays_at_hugging_face(world: World, tmp_path: Path) -> None:
    done = stage(world, tmp_path)
    assert done.returncode == 0, done.stderr
    assert kept(world) == {f"{PREFIX}/{path}": data for path, data in world.files.items()}
    assert world.objects[f"{PREFIX}/model-1.safetensors"][1] == {
        "sha256": hashlib.sha256(WEIGHTS).hexdigest()
    }
    assert world.tokens == {f"Bearer {TOKEN}"}
    assert TOKEN not in done.stdout + done.stderr


def test_a_whole_copy_asks_hugging_face_nothing_and_needs_no_token(world: World, tmp_path: Path) -> None:
    assert stage(world, tmp_path).returncode == 0
    before, world.asked = dict(world.objects), 0
    (tmp_path / "token").unlink()
    again = stage(world, tmp_path, token_text=None)
    assert (again.returncode, world.asked, world.objects) == (0, 0, before), again.stderr
    assert again.stdout.count(": there") == len(world.files)
    assert again.stdout.startswith(f"3 files, 0.0 GB, as gs://bucket/{MANIFEST} lists them\n")


DAMAGE: tuple[tuple[str, bytes | None], ...] = (
    ("config.json", b"[]"),
    ("model-1.safetensors", bytes(len(WEIGHTS))),
    ("model-1.safetensors", WEIGHTS[:-1]),
    ("sub/empty.txt", None),
)
"""A file, and what the bucket has in its place; None for nothing."""


@pytest.mark.parametrize(("path", "there"), DAMAGE, ids=["changed", "zeros", "cut", "missing"])
def test_only_what_is_damaged_or_missing_is_fetched_again(
    world: World, tmp_path: Path, path: str, there: bytes | None
) -> None:
    assert stage(world, tmp_path).returncode == 0
    before, world.asked = dict(world.objects), 0
    world.downloads.clear()
    _, metadata = world.objects.pop(f"{PREFIX}/{path}")
    if there is not None:
        world.objects[f"{PREFIX}/{path}"] = (there, metadata)
    done = stage(world, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (world.downloads, world.asked, world.objects) == ([path], 1, before)


@pytest.mark.parametrize("text", [b"", b"{}", b'{"format": 1, "repository": "other/tiny"}'])
def test_a_list_that_says_nothing_about_this_copy_is_replaced(
    world: World, tmp_path: Path, text: bytes
) -> None:
    assert stage(world, tmp_path).returncode == 0
    before = dict(world.objects)
    world.objects[MANIFEST] = (text, {})
    world.downloads.clear()
    assert stage(world, tmp_path).returncode == 0
    assert (world.downloads, world.objects) == ([], before)


def test_a_list_appears_only_after_all_files(world: World, tmp_path: Path) -> None:
    world.refuse["/google/tiny/resolve/" + REVISION + "/sub/"] = 403
    assert stage(world, tmp_path).returncode == 1
    assert MANIFEST not in world.objects
    world.refuse.clear()
    assert stage(world, tmp_path).returncode == 0
    assert MANIFEST in world.objects


def test_a_damaged_file_never_appears_and_the_next_run_repairs(world: World, tmp_path: Path) -> None:
    world.damage = "model-1.safetensors"
    done = stage(world, tmp_path)
    assert done.returncode != 0 and "its digest differs" in done.stderr
    assert f"{PREFIX}/model-1.safetensors" not in world.objects

    world.damage = ""
    assert stage(world, tmp_path).returncode == 0
    assert world.objects[f"{PREFIX}/model-1.safetensors"][0] == WEIGHTS


def test_another_revision_of_the_same_size_is_not_taken_for_it(world: World, tmp_path: Path) -> None:
    old = bytes(len(WEIGHTS))
    world.objects[f"{PREFIX}/model-1.safetensors"] = (old, {"sha256": hashlib.sha256(old).hexdigest()})
    assert stage(world, tmp_path).returncode == 0
    assert world.objects[f"{PREFIX}/model-1.safetensors"][0] == WEIGHTS


def test_a_checkpoint_is_compared_before_anything_is_copied(world: World, tmp_path: Path) -> None:
    expected = {
        "model": "gemma-4-26b-a4b-it",
        "weight_bytes": len(WEIGHTS),
        "architectures": ["Gemma4ForConditionalGeneration"],
        "text_config": {"hidden_size": 2816},
        "full_attention": {"layers": [0], "head_dim": 512, "num_key_value_heads": 2},
        "max_model_len": 4096,
    }
    expect = ["--expect", json.dumps(expected)]
    config = {"architectures": expected["architectures"], "text_config": {"hidden_size": 5376}}
    world.files["config.json"] = json.dumps(config).encode()
    done = stage(world, tmp_path, expect=expect)
    assert (done.returncode, done.stderr) == (
        1,
        f"google/tiny at {REVISION} is no checkpoint of gemma-4-26b-a4b-it: text_config.hidden_size is 5376 "
        "in config.json, not 2816; name another repository, or another architecture.\n",
    )
    assert (world.downloads, world.objects) == (["config.json"], {})
    config["text_config"] = {
        "hidden_size": 2816,
        "layer_types": ["full_attention"],
        "per_layer_config": {"0": {"head_dim": 512, "num_key_value_heads": 2}},
        "max_position_embeddings": 4096,
    }
    world.files["config.json"] = json.dumps(config).encode()
    assert stage(world, tmp_path, expect=expect).returncode == 0
    assert len(kept(world)) == len(world.files)

    world.asked, expected["max_model_len"] = 0, 8192
    longer = stage(world, tmp_path, expect=["--expect", json.dumps(expected)])
    assert (longer.returncode, world.asked) == (1, 0)
    assert "max_position_embeddings is 4096 in config.json, less than engine.max_model_len 8192" in (
        longer.stderr
    )


REVISION_OF = f"google/tiny at {REVISION}"
CURE = (
    "accept the model's terms with the account of the token in TOKEN, and see that the token is valid and "
    "may read the model."
)
NO_BUCKET = (
    "gs://bucket may not be read and written (HTTP 403: made to fail): grant the account that runs this "
    "roles/storage.objectUser there."
)
REFUSED = (
    ("/api/models/", 403, f"Hugging Face does not give {REVISION_OF} (HTTP 403): {CURE}"),
    ("/api/models/", 401, f"Hugging Face does not give {REVISION_OF} (HTTP 401): {CURE}"),
    (
        "/api/models/",
        404,
        f"Hugging Face has no {REVISION_OF} (HTTP 404): see --repository and --revision.",
    ),
    ("/google/", 403, f"Hugging Face does not give config.json of {REVISION_OF} (HTTP 403): {CURE}"),
    ("/storage/", 403, NO_BUCKET),
    ("/upload/", 403, NO_BUCKET),
    (
        "/upload/",
        404,
        "The bucket bucket does not exist (HTTP 404: made to fail): deploy the foundation first.",
    ),
)


@pytest.mark.parametrize(("path", "code", "sentence"), REFUSED)
def test_an_error_that_the_user_can_fix_is_one_sentence(
    world: World, tmp_path: Path, path: str, code: int, sentence: str
) -> None:
    world.refuse[path] = code
    done = stage(world, tmp_path)
    said = done.stderr.replace(f"{tmp_path}/token", "TOKEN")
    assert (done.returncode, said) == (1, sentence + "\n")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            None,
            "The token file TOKEN cannot be read (No such file or directory): give --token-file a file with "
            "a token of Hugging Face, or leave it out for a model that needs none.\n",
        ),
        ("\n", "The token file TOKEN is empty: put a token of Hugging Face into it.\n"),
    ],
)
def test_a_token_file_without_a_token(world: World, tmp_path: Path, text: str | None, sentence: str) -> None:
    done = stage(world, tmp_path, text)
    assert (done.returncode, done.stderr.replace(f"{tmp_path}/token", "TOKEN")) == (1, sentence)
