"""The list of a copy's files: what is taken for one, and what is not."""

import json
from dataclasses import asdict
from typing import Any

import pytest

from agent.weights_job.manifest import FORMAT, File, parse

FILES = [File("config.json", 2, "a" * 40, "4waSgw=="), File("model.safetensors", 9, "b" * 64, "crc32c==")]
GOOD: dict[str, Any] = {
    "format": FORMAT,
    "repository": "google/tiny",
    "revision": "c" * 40,
    "files": [asdict(file) for file in FILES],
}


def parsed(content: object) -> list[File] | None:
    return parse(json.dumps(content).encode(), "google/tiny", "c" * 40)


def test_a_list_names_the_files() -> None:
    assert parsed(GOOD) == FILES


def files(**change: object) -> dict[str, Any]:
    return {**GOOD, "files": [GOOD["files"][0], {**GOOD["files"][1], **change}]}


BAD: tuple[tuple[str, object], ...] = (
    ("another format", {**GOOD, "format": FORMAT + 1}),
    ("another repository", {**GOOD, "repository": "google/other"}),
    ("another revision", {**GOOD, "revision": "d" * 40}),
    ("no files", {**GOOD, "files": []}),
    ("files left out", {name: value for name, value in GOOD.items() if name != "files"}),
    ("no object", []),
    ("null", None),
    ("a file without checksum", files(crc32c=None)),
    ("a file without digest", files(digest="")),
    ("a size in words", files(size="9")),
    ("a name that no file has", files(etag="x")),
    ("a path that is none", files(path=None)),
)


@pytest.mark.parametrize("content", [row[1] for row in BAD], ids=[row[0] for row in BAD])
def test_everything_else_is_no_list(content: object) -> None:
    assert parsed(content) is None


@pytest.mark.parametrize("text", [b"", b"{", b"\xff"])
def test_what_is_no_json_is_no_list(text: bytes) -> None:
    assert parse(text, "google/tiny", "c" * 40) is None
