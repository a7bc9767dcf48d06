"""The weights Job's program with its real libraries, between a fake Hugging Face and a fake bucket."""

import base64
import hashlib
import json
import os
import re
import subprocess
import threading
import urllib.parse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from local import image
from tests.inventory.recorder import REPOSITORY

REVISION = "4d7ae4984b7db7de8f8457170b3f1a419ee76d52"
PREFIX = f"weights/{REVISION}/tiny"
TOKEN = "hf_not-a-real-token"
WEIGHTS = os.urandom(9 * 2**20)
"""Large enough for an upload in pieces (above 8 MiB)."""


@dataclass
class World:
    """Files of the repository, objects of the bucket, and the recorded callers."""

    files: dict[str, bytes]
    objects: dict[str, tuple[bytes, dict[str, str]]] = field(default_factory=dict)
    uploads: dict[str, tuple[str, dict[str, str], bytearray]] = field(default_factory=dict)
    downloads: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    damage: str = ""
    refuse: dict[str, int] = field(default_factory=dict)
    """Beginning of a path -> the code that it is refused with."""
    address: str = ""

    def tree(self) -> list[dict[str, Any]]:
        """Returns the repository's files as Hugging Face lists them; large ones with their digest."""
        return [
            {
                "type": "file",
                "path": path,
                "size": len(data),
                "oid": "0" * 40,
                **(
                    {
                        "lfs": {
                            "oid": hashlib.sha256(data).hexdigest(),
                            "size": len(data),
                            "pointerSize": 135,
                        }
                    }
                    if path.endswith(".safetensors")
                    else {}
                ),
            }
            for path, data in self.files.items()
        ]


def crc32c(data: bytes) -> int:
    """Returns the checksum that Cloud Storage reports for every object (RFC 3720, appendix B.4)."""
    table = [0] * 256
    for index in range(256):
        value = index
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table[index] = value
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def handler(world: World) -> type[BaseHTTPRequestHandler]:
    """Returns a handler for both services on one port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing."""

        def answer(self, code: int, body: bytes, **headers: str) -> None:
            self.send_response(code)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def document(self, code: int, value: Any, **headers: str) -> None:
            self.answer(code, json.dumps(value).encode(), content_type="application/json", **headers)

        def do_GET(self) -> None:
            path = urllib.parse.unquote(self.path.partition("?")[0])
            if self.refused(path):
                return
            if path.startswith("/api/models/"):
                world.tokens.add(self.headers.get("authorization", ""))
                self.document(200, world.tree())
            elif found := re.fullmatch(rf"/google/tiny/resolve/{REVISION}/(.+)", path):
                world.tokens.add(self.headers.get("authorization", ""))
                world.downloads.append(found[1])
                data = world.files[found[1]]
                self.answer(200, data[:-1] + b"!" if found[1] == world.damage else data)
            elif found := re.fullmatch(r"/storage/v1/b/bucket/o/(.+)", path):
                if found[1] not in world.objects:
                    self.document(404, {"error": {"code": 404, "message": "none"}})
                else:
                    self.document(200, self.resource(found[1]))
            else:
                self.document(404, {"error": {"code": 404, "message": path}})

        def refused(self, path: str) -> bool:
            for beginning, code in world.refuse.items():
                if path.startswith(beginning):
                    self.document(code, {"error": {"code": code, "message": "made to fail"}})
                    return True
            return False

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.refused(self.path):
                return
            query = urllib.parse.parse_qs(self.path.partition("?")[2])
            if query["uploadType"] == ["resumable"]:
                given = json.loads(body)
                key = str(len(world.uploads))
                world.uploads[key] = (given["name"], given.get("metadata", {}), bytearray())
                self.answer(200, b"", location=f"{world.address}/upload/session/{key}")
                return
            boundary = self.headers["content-type"].partition("boundary=")[2].strip('"').encode()
            _, meta, data, _ = body.split(b"--" + boundary)
            given = json.loads(meta.partition(b"\r\n\r\n")[2])
            content = data.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
            world.objects[given["name"]] = (content, given.get("metadata", {}))
            self.document(200, self.resource(given["name"]))

        def do_PUT(self) -> None:
            name, metadata, data = world.uploads[self.path.rsplit("/", 1)[1]]
            data += self.rfile.read(int(self.headers["content-length"]))
            total = int(self.headers["content-range"].rpartition("/")[2])
            if len(data) < total:
                self.answer(308, b"", range=f"bytes=0-{len(data) - 1}")
                return
            world.objects[name] = (bytes(data), metadata)
            self.document(200, self.resource(name))

        def resource(self, name: str) -> dict[str, Any]:
            data, metadata = world.objects[name]
            return {
                "name": name,
                "bucket": "bucket",
                "size": str(len(data)),
                "metadata": metadata,
                "crc32c": base64.b64encode(crc32c(data).to_bytes(4, "big")).decode(),
            }

    return Handler


@pytest.fixture
def world() -> Iterator[World]:
    world = World({"config.json": b"{}", "model-1.safetensors": WEIGHTS, "sub/empty.txt": b""})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(world))
    world.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield world
    server.shutdown()
    server.server_close()


def stage(
    world: World, tmp_path: Path, token_text: str | None = TOKEN + "\n", expect: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run the program as the Job does, in the server's environment; None means that the token file is
    missing."""
    token = tmp_path / "token"
    if token_text is not None:
        token.write_text(token_text, "utf-8")
    program = [
        image.environment() / "bin" / "python",
        REPOSITORY / "agent" / "weights_job" / "stage_weights.py",
    ]
    what = ["--repository", "google/tiny", "--revision", REVISION]
    where = ["--bucket", "bucket", "--prefix", PREFIX, "--token-file", token]
    return subprocess.run(
        [*program, *what, *where, *expect],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "HF_ENDPOINT": world.address,
            "STORAGE_EMULATOR_HOST": world.address,
            "GOOGLE_CLOUD_PROJECT": "nobody",
        },
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_every_file_arrives_once_and_the_token_stays_at_hugging_face(world: World, tmp_path: Path) -> None:
    done = stage(world, tmp_path)
    assert done.returncode == 0, done.stderr
    assert {name: data for name, (data, _) in world.objects.items()} == {
        f"{PREFIX}/{path}": data for path, data in world.files.items()
    }
    assert world.objects[f"{PREFIX}/model-1.safetensors"][1] == {
        "sha256": hashlib.sha256(WEIGHTS).hexdigest()
    }
    assert world.tokens == {f"Bearer {TOKEN}"}
    assert TOKEN not in done.stdout + done.stderr

    world.downloads.clear()
    again = stage(world, tmp_path)
    assert again.returncode == 0 and world.downloads == []
    assert again.stdout.count(": there") == len(world.files)


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
    assert len(world.objects) == len(world.files)


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
