"""A baked compile cache on a machine: begun with, kept when it serves, dropped when the server ends on it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.boot import baked
from serving import boot
from tests.boot.conftest import MakeLab
from tests.boot.lab import BUCKET, MODEL, Lab, furnish, simple_release, stages
from tests.boot.store import BUCKET as STORED
from tests.boot.store import NAME, Store

BAKED = NAME.replace(".tar", ".baked.tar")
CACHE = "/var/lib/tpuserve/cache"


def archive(folder: Path, text: str, *, manifest: str | None = None) -> bytes:
    """What `make bake` packs: one program and the manifest."""
    folder.mkdir()
    (folder / "jit_step-1-cache").write_text(text)
    (folder / "manifest.json").write_text(
        manifest or json.dumps({"baked": True, "programs": {"jit_step-1": "backbone"}})
    )
    packed = folder.with_suffix(".tar.zst")
    command = ["tar", "--create", "--zstd", "--file", packed, "--directory", folder, "."]
    subprocess.run(command, check=True)
    return packed.read_bytes()


def bake(store: Store, data: bytes, name: str = BAKED) -> None:
    file = store.object.with_name(Path(name).name)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(data)


@pytest.fixture
def journal(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets what the server has logged."""

    def logged(text: str) -> None:
        real = subprocess.run
        done = subprocess.CompletedProcess([], 0, text, "")
        monkeypatch.setattr(
            subprocess, "run", lambda words, **rest: done if words[0] == "journalctl" else real(words, **rest)
        )

    return logged


def restore(folder: Path) -> str:
    return baked.restore(STORED, NAME, BAKED, folder)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_cache_that_a_server_published_goes_first(store: Store, tmp_path: Path) -> None:
    bake(store, archive(tmp_path / "baked", "baked"))
    bake(store, archive(tmp_path / "own", "compiled"), NAME)
    folder = store.machine("m")
    assert restore(folder) == "restored, 2 files"
    assert (folder / "jit_step-1-cache").read_text() == "compiled"
    assert baked.start(folder) is None and baked.ready(folder, "u") is None


def test_without_either_the_boot_compiles(store: Store) -> None:
    folder = store.machine("m")
    assert restore(folder) == f"none in gs://{STORED}/{BAKED}: this boot compiles"
    assert baked.start(folder) is None
    assert not baked.marker(folder).exists()


def test_what_nobody_baked_is_not_begun_with(store: Store, tmp_path: Path) -> None:
    bake(store, archive(tmp_path / "baked", "?", manifest='{"programs": ["a"]}'))
    folder = store.machine("m")
    assert restore(folder) == f"gs://{STORED}/{BAKED} has no manifest of `make bake`: this boot compiles"
    assert names(folder) == []


def test_a_trial_that_serves_is_a_cache_like_any_other(
    store: Store, tmp_path: Path, journal: Callable[[str], None]
) -> None:
    bake(store, archive(tmp_path / "baked", "baked"))
    folder = store.machine("m")
    assert restore(folder) == "baked, 1 programs, not yet tried"
    # Cut off before any server has started: nothing is known against it.
    assert restore(folder) == "kept, 2 files"
    assert baked.start(folder) is None
    journal(
        "INFO compile cache: 0 hits, 9 misses of 9 programs; 1 s\n"
        "INFO compile cache: 7 hits, 2 misses of 9 programs; 1 s"
    )
    assert baked.ready(folder, "u") == "baked, 7 programs found and 2 compiled"
    assert names(folder) == ["jit_step-1-cache"]
    assert baked.start(folder) is None
    assert restore(folder) == "kept, 1 files"


def test_programs_of_which_none_was_found_are_not_kept(
    store: Store, tmp_path: Path, journal: Callable[[str], None]
) -> None:
    bake(store, archive(tmp_path / "baked", "baked"))
    folder = store.machine("m")
    restore(folder)
    baked.start(folder)
    (folder / "jit_own-2-cache").write_text("compiled here")
    journal("compile cache: 0 hits, 1 misses of 1 programs")
    assert baked.ready(folder, "u") == "baked, 0 programs found and 1 compiled"
    assert names(folder) == ["jit_own-2-cache"]


def test_a_second_start_without_an_answer_drops_it_for_good(store: Store, tmp_path: Path) -> None:
    bake(store, archive(tmp_path / "baked", "baked"))
    folder = store.machine("m")
    restore(folder)
    assert baked.start(folder) is None
    said = "baked cache dropped: the server ended before it was ready"
    assert baked.start(folder) == f"{said}; this start compiles"
    assert names(folder) == []
    assert baked.start(folder) is None
    assert restore(folder) == f"none in gs://{STORED}/{NAME}: this boot compiles"


def test_so_does_the_boot_after_one_that_hung(store: Store, tmp_path: Path) -> None:
    bake(store, archive(tmp_path / "baked", "baked"))
    folder = store.machine("m")
    restore(folder)
    baked.start(folder)
    assert restore(folder) == (
        "baked cache dropped: the server ended before it was ready; "
        f"none in gs://{STORED}/{NAME}: this boot compiles"
    )
    assert names(folder) == []


@pytest.fixture(scope="module")
def lab(make_lab: MakeLab) -> Lab:
    return furnish(make_lab())


@pytest.mark.parametrize(
    ("text", "starts", "note"),
    [
        (
            "for another chip",
            2,
            "baked cache dropped: the server ended before it was ready; this start compiles",
        ),
        ("for this chip", 1, "baked, 1 programs found and 0 compiled"),
    ],
)
def test_a_machine_serves_whatever_was_baked(
    lab: Lab, tmp_path: Path, text: str, starts: int, note: str
) -> None:
    lab.machine.run("systemctl", "stop", boot.UNIT)
    lab.machine.run("rm", "-rf", f"{CACHE}/xla", f"{CACHE}/.baked")
    for published in (lab.cloud / "objects" / BUCKET / "xla").glob("*"):
        published.unlink()
    lab.archive(archive(tmp_path / "baked", text), BAKED)
    lab.template(simple_release(lab.image, MODEL), model=MODEL, baked=BAKED)
    lab.machine.boot(300)
    assert lab.machine.status["state"] == "serving"
    assert stages(lab)["cache"]["note"] == note
    restarts = lab.machine.run("systemctl", "show", "--property=NRestarts", "--value", boot.UNIT)
    assert int(restarts.stdout) == starts - 1
