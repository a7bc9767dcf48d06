"""The server's image: what is in it, and that the same inputs give the same bytes."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from local.cluster import images
from local.image import constants
from local.image import image as module
from serving.deploy import container_layout
from tools.support import oci_archive
from tools.support.progress import Refusal

LDD = """\
	linux-vdso.so.1 (0x00007ffd)
	libpython3.12.so.1.0 => /tree/lib/libpython3.12.so.1.0 (0x00007f36)
	libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f37)
	/lib64/ld-linux-x86-64.so.2 (0x00007f38)
"""


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "sh").write_bytes(b"shell")
    (tmp_path / "libc.so.6").write_bytes(b"library")
    return {"bin/sh": tmp_path / "sh", "lib/x86_64-linux-gnu/libc.so.6": tmp_path / "libc.so.6"}


def entries(layer: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        return {entry.name: entry for entry in tar.getmembers()}


def test_the_same_inputs_give_the_same_bytes(files: dict[str, Path]) -> None:
    first = module.layer(files)
    for place in files.values():
        place.touch()
    assert module.layer(dict(reversed(files.items()))) == first


def test_every_mount_point_of_the_workload_is_there_and_only_tmp_is_writable(files: dict[str, Path]) -> None:
    found = entries(module.layer(files))
    for folder in (
        constants.PYTHON_ROOT,
        container_layout.MODELS,
        container_layout.CACHE,
        container_layout.AGENT,
        "/tmp",
        "/dev",
        "/proc",
    ):
        assert found[folder.lstrip("/")].isdir(), folder
    assert [name for name, entry in found.items() if entry.mode & 0o002] == ["tmp"]
    assert {(entry.uid, entry.gid, entry.mtime) for entry in found.values()} == {(0, 0, 0)}
    assert found["bin/sh"].mode == 0o755


def test_folders_come_before_what_is_in_them(files: dict[str, Path]) -> None:
    seen: set[str] = set()
    for name in entries(module.layer(files)):
        assert str(Path(name).parent) in seen | {"."}, name
        seen.add(name)


def test_the_archive_names_the_image_and_its_user_and_environment(
    files: dict[str, Path], tmp_path: Path
) -> None:
    archive = tmp_path / "image.tar"
    oci_archive.write(archive, module.reference(), module.layer(files), module.configuration())
    assert [*images.contents(archive)] == [module.reference()]
    with tarfile.open(archive) as tar:
        blobs = [tar.extractfile(member) for member in tar.getmembers() if "blobs" in member.name]
        documents = [blob.read() for blob in blobs if blob is not None]
    [image_config] = [json.loads(text)["config"] for text in documents if b'"diff_ids"' in text]
    assert image_config["User"] == f"{container_layout.USER}:{container_layout.USER}"
    assert f"TPUSERVE_CPU_HBM_BYTES={constants.HBM_BYTES}" in image_config["Env"]


def test_the_image_brings_nothing_that_only_the_workload_can_bring_elsewhere() -> None:
    """Google's image has neither our user nor a writable folder, so the local image must not have them.

    VLLM_CACHE_ROOT is a folder that nobody can write: it only saves time.
    """
    assert str(container_layout.USER) not in module.FILES["etc/passwd"]
    brought = {
        name
        for name in module.ENVIRONMENT
        if name in ("HOME", "USER") or name.startswith(("VLLM", "HF", "XDG"))
    }
    assert brought == {"VLLM_CACHE_ROOT"}


def test_lines_of_ldd_are_understood() -> None:
    assert module.RESOLVED.findall(LDD) == [
        ("libpython3.12.so.1.0", "/tree/lib/libpython3.12.so.1.0"),
        ("libc.so.6", "/lib/x86_64-linux-gnu/libc.so.6"),
        ("", "/lib64/ld-linux-x86-64.so.2"),
    ]


def test_a_library_that_this_machine_lacks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COUNTED_ON", ("libabsent.so.9",))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3.12").symlink_to("/bin/sh")
    with pytest.raises(Refusal, match=r"needs libabsent\.so\.9, which this machine does not have"):
        module.host_files(tmp_path)


def test_the_shell_and_all_that_it_is_linked_with_are_collected(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3.12").symlink_to("/bin/sh")
    found = module.host_files(tmp_path)
    assert {"bin/sh"} < {*found} and all(place.is_file() for place in found.values())
    names = {Path(name).name for name in found}
    assert {"libc.so.6", "libstdc++.so.6", "libgomp.so.1", "libz.so.1"} < names
    assert any(name.startswith("ld-linux") for name in names)
