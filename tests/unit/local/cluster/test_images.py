"""Archives of program images, and what is asked of an archive before it is imported."""

import hashlib
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from local.cluster import images
from tools.support.progress import Refusal


@pytest.fixture
def image(tmp_path: Path) -> images.ProgramImage:
    """An image of a small file."""
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF and so on")
    return images.ProgramImage("thing", program)


def test_the_archive_is_a_valid_oci_layout(image: images.ProgramImage, tmp_path: Path) -> None:
    archive = tmp_path / "thing.tar"
    images.write_program_image(image, archive)
    with tarfile.open(archive) as tar:
        names = set(tar.getnames())
        blobs = {name: tar.extractfile(name).read() for name in names}  # pyright: ignore
    assert json.loads(blobs["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    for name, content in blobs.items():
        if name.startswith("blobs/sha256/"):
            assert hashlib.sha256(content).hexdigest() == name.rpartition("/")[2]
    named = json.loads(blobs["index.json"])["manifests"][0]
    assert named["annotations"]["io.containerd.image.name"] == image.reference
    manifest = json.loads(blobs[f"blobs/sha256/{named['digest'].removeprefix('sha256:')}"])
    config = json.loads(blobs[f"blobs/sha256/{manifest['config']['digest'].removeprefix('sha256:')}"])
    assert config["config"]["Entrypoint"] == ["/thing"]
    assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]


def test_the_same_program_makes_the_same_archive_and_another_another_name(
    image: images.ProgramImage, tmp_path: Path
) -> None:
    first, second = tmp_path / "1.tar", tmp_path / "2.tar"
    images.write_program_image(image, first)
    images.write_program_image(image, second)
    assert first.read_bytes() == second.read_bytes()
    before = image.reference
    image.program.write_bytes(b"rebuilt")
    assert image.reference != before
    assert before.startswith("tpuserve.local/thing:")


def test_contents_of_an_archive(image: images.ProgramImage, tmp_path: Path) -> None:
    archive = tmp_path / "thing.tar"
    images.write_program_image(image, archive)
    with tarfile.open(archive) as tar:
        digest = json.load(tar.extractfile("index.json"))["manifests"][0]["digest"]  # pyright: ignore
    assert images.contents(archive) == {image.reference: digest}


BROKEN: dict[str, Callable[[Path], object]] = {
    "not an archive": lambda file: file.write_text("<html>"),
    "missing": lambda file: None,
    "another archive": lambda file: tarfile.open(file, "w").close(),
}


@pytest.mark.parametrize("make", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_image_archive_is_refused(make: Callable[[Path], object], tmp_path: Path) -> None:
    file = tmp_path / "image.tar"
    make(file)
    with pytest.raises(
        Refusal, match=r"image\.tar is not an OCI image archive with a named image.*build it again"
    ):
        images.contents(file)
