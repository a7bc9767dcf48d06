"""Archives: what is packed is unpacked, and nothing else is."""

import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.compile_cache import archive as archives
from agent.store.gcp_api import Problem
from tests.unit.agent.bucket import archive, names, tar

LONG = "jit_" + "x" * 150 + "-cache"


def unpack(folder: Path, data: bytes) -> Path:
    """Unpacks `data` in `folder`, and returns the folder of its programs."""
    packed, unpacked = folder / "archive", folder / "unpacked"
    packed.write_bytes(data)
    unpacked.mkdir()
    archives.unpack(packed, unpacked)
    return unpacked


def test_what_is_packed_is_unpacked(tmp_path: Path) -> None:
    for name in ("jit_a-cache", LONG):
        (tmp_path / name).write_bytes(name.encode() * 1000)
    packed = tmp_path / "archive"
    archives.pack(packed, [tmp_path / LONG, tmp_path / "jit_a-cache"], "0123")
    folder = unpack(tmp_path, packed.read_bytes())
    assert names(folder) == ["jit_a-cache", LONG]
    assert (folder / LONG).read_bytes() == LONG.encode() * 1000


def member(kind: bytes, target: str = "") -> tarfile.TarInfo:
    about = tarfile.TarInfo("jit_a-cache")
    about.type, about.linkname = kind, target
    return about


MANIFEST = "manifest.json"
GOOD = archive({"jit_a-cache": "a program"})


def manifest_of(data: bytes) -> str:
    """Returns the text of an archive's manifest."""
    return data[512:].partition(b"\0")[0].decode()


def first(*members: tuple[str | tarfile.TarInfo, str], text: str = "a program") -> bytes:
    """Returns an archive with the manifest of one program and other members."""
    return tar((MANIFEST, manifest_of(archive({"jit_a-cache": text}))), *members)


BAD = (
    ("nothing", b"", "empty file"),
    ("no tar", b"this is no archive", "truncated header"),
    ("no manifest", tar(("jit_a-cache", "a program")), "it does not begin with manifest.json"),
    (
        "the manifest later",
        tar(("jit_a-cache", ""), (MANIFEST, "{}")),
        "it does not begin with manifest.json",
    ),
    ("no JSON", tar((MANIFEST, "{")), "Expecting property name"),
    ("no object", tar((MANIFEST, "[]")), "manifest.json is no object"),
    ("another format", archive({}, format=2), "manifest.json has format 2, not 1"),
    ("no fingerprint", archive({}, fingerprint=None), "manifest.json lacks fingerprint, baked or entries"),
    ("a list of entries", archive({}, entries=[]), "manifest.json lacks fingerprint, baked or entries"),
    ("a sum that is none", archive({}, entries={"jit_a-cache": "0"}), "which is no program with a SHA-256"),
    ("a way out", archive({"../jit_a-cache": "x"}), "names '../jit_a-cache', which is no program"),
    ("a path", archive({"/tmp/jit_a-cache": "x"}), "names '/tmp/jit_a-cache', which is no program"),
    ("a folder", archive({"a/jit_a-cache": "x"}), "names 'a/jit_a-cache', which is no program"),
    ("a hidden file", archive({".jit_a-cache": "x"}), "names '.jit_a-cache', which is no program"),
    ("no program", archive({"sitecustomize.py": "x"}), "names 'sitecustomize.py', which is no program"),
    ("unknown", first(("jit_b-cache", "x")), "it holds 'jit_b-cache', which is not in its manifest"),
    ("twice", first(*[("jit_a-cache", "a program")] * 2), "which is not in its manifest or is there twice"),
    ("missing", first(), "jit_a-cache is missing"),
    (
        "changed",
        first(("jit_a-cache", "a progrem")),
        "jit_a-cache has another SHA-256 than its manifest says",
    ),
    (
        "a symbolic link",
        first((member(tarfile.SYMTYPE, "/etc/passwd"), "")),
        "'jit_a-cache' is no plain file",
    ),
    ("a hard link", first((member(tarfile.LNKTYPE, "/etc/passwd"), "")), "'jit_a-cache' is no plain file"),
    ("a device", first((member(tarfile.CHRTYPE), "")), "'jit_a-cache' is no plain file"),
    ("a pipe", first((member(tarfile.FIFOTYPE), "")), "'jit_a-cache' is no plain file"),
    ("a directory", first((member(tarfile.DIRTYPE), "")), "'jit_a-cache' is no plain file"),
    ("a sparse file", first((member(tarfile.GNUTYPE_SPARSE), "")), "'jit_a-cache' is no plain file"),
    ("cut off in a program", GOOD[: 3 * 512 + 5], "unexpected end of data"),
)


@pytest.mark.parametrize(("case", "data", "sentence"), BAD, ids=[row[0] for row in BAD])
def test_what_is_no_archive_of_programs_is_refused(
    tmp_path: Path, case: str, data: bytes, sentence: str
) -> None:
    with pytest.raises(Problem) as problem:
        unpack(tmp_path, data)
    assert str(problem.value).startswith("the archive is damaged: ") and sentence in str(problem.value), case
    assert {path.name for path in tmp_path.iterdir()} == {"archive", "unpacked"}


@given(position=st.integers(0, len(GOOD) - 1), byte=st.integers(0, 255), length=st.integers(0, len(GOOD)))
def test_damage_is_a_sentence_or_changes_no_program(
    tmp_path_factory: pytest.TempPathFactory, position: int, byte: int, length: int
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    data = bytearray(GOOD)
    data[position] = byte
    try:
        unpacked = unpack(folder, bytes(data[:length]))
    except Problem:
        return
    assert {path.name: path.read_text() for path in unpacked.iterdir()} == {"jit_a-cache": "a program"}
