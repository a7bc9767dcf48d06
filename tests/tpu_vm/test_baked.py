"""A baked compile cache on a machine: used first, kept when it serves, deleted when the server ends on it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from agent import cache_report
from agent.vm import baked_cache_trial
from serving.deploy import systemd_units
from serving.deploy.compose import CONTAINER
from tests.tpu_vm.conftest import MakeLab
from tests.tpu_vm.lab import BUCKET, MODEL, Lab, furnish, simple_release, stages
from tests.tpu_vm.machine import wait_for
from tests.tpu_vm.store import BUCKET as STORED
from tests.tpu_vm.store import NAME, Store

BAKED = NAME.replace(".tar", ".baked.tar")
CACHE = "/var/lib/tpuserve/cache"


def archive(folder: Path, text: str, *, manifest: str | None = None) -> bytes:
    """Returns what `make bake` packs: one program and the manifest."""
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
def misses(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], None]:
    """Returns a function that sets how many programs the server has logged as compiled; None is a log without
    counts."""

    def logged(number: int | None) -> None:
        real = subprocess.run
        text = (
            f"INFO {cache_report.line({'hits': 4, 'misses': 99})}\n"
            f"INFO {cache_report.line({'hits': 40, 'misses': number})}\n"
            if number is not None
            else "WARNING something else\n"
        )
        done = subprocess.CompletedProcess([], 0, text, "")
        monkeypatch.setattr(
            subprocess, "run", lambda words, **rest: done if words[0] == "journalctl" else real(words, **rest)
        )

    return logged


def restore(folder: Path) -> str:
    return baked_cache_trial.restore(STORED, NAME, BAKED, folder)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def state(folder: Path) -> str:
    return baked_cache_trial.marker(folder).read_text().strip()


@pytest.fixture
def tried(store: Store, tmp_path: Path) -> Path:
    """Returns the cache of a machine whose server has started on a baked one and has compiled a helper
    itself."""
    bake(store, archive(tmp_path / "baked", "baked"))
    folder = store.machine("m")
    assert restore(folder) == "baked, 1 programs, not yet tried"
    assert baked_cache_trial.start(folder) is None
    (folder / "jit_add-2-cache").write_text("compiled here")
    return folder


def test_a_cache_that_a_server_published_goes_first(store: Store, tmp_path: Path) -> None:
    bake(store, archive(tmp_path / "baked", "baked"))
    bake(store, archive(tmp_path / "own", "compiled"), NAME)
    folder = store.machine("m")
    assert restore(folder) == "restored, 2 files"
    assert (folder / "jit_step-1-cache").read_text() == "compiled"
    assert baked_cache_trial.start(folder) is None and baked_cache_trial.ready(folder, "u") is None


def test_without_either_the_boot_compiles(store: Store) -> None:
    folder = store.machine("m")
    assert restore(folder) == f"none in gs://{STORED}/{BAKED}: this boot compiles"
    assert baked_cache_trial.start(folder) is None
    assert not baked_cache_trial.marker(folder).exists()


def test_what_nobody_baked_is_not_begun_with(store: Store, tmp_path: Path) -> None:
    bake(store, archive(tmp_path / "baked", "?", manifest='{"programs": ["a"]}'))
    folder = store.machine("m")
    assert restore(folder) == f"gs://{STORED}/{BAKED} has no manifest of `make bake`: this boot compiles"
    assert names(folder) == [] and not baked_cache_trial.marker(folder).exists()


def test_a_restore_that_is_cut_off_leaves_no_programs_without_a_trial(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bake(store, archive(tmp_path / "baked", "baked"))
    folder = store.machine("m")

    def cut_off(_: Path) -> list[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(baked_cache_trial, "_baked", cut_off)
    with pytest.raises(KeyboardInterrupt):
        restore(folder)
    assert names(folder) == ["jit_step-1-cache", "manifest.json"]
    assert baked_cache_trial.start(folder) is None
    assert state(folder) == "tried"


def test_a_disk_that_cannot_note_a_trial_begins_none(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bake(store, archive(tmp_path / "baked", "baked"))
    folder = store.machine("m")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(baked_cache_trial, "_note", full)
    assert restore(folder) == "not restored ([Errno 28] No space left on device): this boot compiles"
    assert names(folder) == []


def test_a_trial_that_serves_is_a_cache_like_any_other(
    tried: Path, misses: Callable[[int | None], None]
) -> None:
    misses(1)
    assert baked_cache_trial.ready(tried, "u") == "baked, all 1 programs serve"
    assert names(tried) == ["jit_add-2-cache", "jit_step-1-cache"]
    assert baked_cache_trial.start(tried) is None and baked_cache_trial.unfit(tried) is None
    assert restore(tried) == "kept, 2 files"


def test_keys_that_the_host_computes_otherwise(tried: Path, misses: Callable[[int | None], None]) -> None:
    (tried / "jit_step-7-cache").write_text("the same program under another key")
    misses(2)
    said = "baked, and 1 programs have other keys here: all baked ones are deleted"
    assert baked_cache_trial.ready(tried, "u") == said
    # The remaining programs are complete and fit to publish.
    assert names(tried) == ["jit_add-2-cache", "jit_step-7-cache"]
    assert baked_cache_trial.unfit(tried) is None


def test_programs_that_did_not_load_are_not_published(
    tried: Path, misses: Callable[[int | None], None]
) -> None:
    misses(2)
    said = "baked, and 1 programs did not load: all baked ones are deleted"
    assert baked_cache_trial.ready(tried, "u") == said
    assert names(tried) == ["jit_add-2-cache"]
    why = "not published: what did not load is missing; the next boot compiles it"
    assert baked_cache_trial.unfit(tried) == why
    # The next start publishes, and uses no baked cache, even on an empty disk.
    assert baked_cache_trial.start(tried) is None and baked_cache_trial.unfit(tried) is None
    for file in tried.iterdir():
        file.unlink()
    assert restore(tried) == f"none in gs://{STORED}/{NAME}: this boot compiles"


def test_a_server_that_does_not_tell_is_not_taken_for_one_that_loads(
    tried: Path, misses: Callable[[int | None], None]
) -> None:
    misses(None)
    said = "baked, and the server does not report what it loaded: all baked ones are deleted"
    assert baked_cache_trial.ready(tried, "u") == said
    assert names(tried) == ["jit_add-2-cache"]
    assert str(baked_cache_trial.unfit(tried)).startswith("not published: ")


def test_a_second_start_without_an_answer_drops_it_for_good(tried: Path) -> None:
    said = "baked cache dropped: the server ended before it was ready; this start compiles"
    assert baked_cache_trial.start(tried) == said
    assert names(tried) == [] and state(tried) == "dropped"
    assert baked_cache_trial.start(tried) is None
    assert restore(tried) == f"none in gs://{STORED}/{NAME}: this boot compiles"


def test_a_boot_that_is_run_again_keeps_a_running_trial(tried: Path) -> None:
    assert restore(tried) == "kept, 3 files"
    assert state(tried) == "tried"


def test_a_server_that_somebody_stops_has_not_failed(tried: Path) -> None:
    baked_cache_trial.stop(tried)
    assert baked_cache_trial.start(tried) is None
    assert names(tried) == ["jit_add-2-cache", "jit_step-1-cache", "manifest.json"]
    assert state(tried) == "tried"


def test_a_server_that_was_not_ready_in_time_is_started_once_more(tried: Path) -> None:
    # Stopping a server that hangs is the same stop as any other.
    baked_cache_trial.stop(tried)
    said = "baked cache dropped: the server was not ready in time; this start compiles"
    assert baked_cache_trial.give_up(tried) == said
    assert names(tried) == [] and baked_cache_trial.give_up(tried) is None
    assert baked_cache_trial.start(tried) is None


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
        (
            "that hangs",
            1,
            "baked cache dropped: the server was not ready in time; this start compiles",
        ),
        ("for this chip", 1, "baked, all 1 programs serve"),
    ],
)
def test_a_machine_serves_whatever_was_baked(
    lab: Lab, tmp_path: Path, text: str, starts: int, note: str
) -> None:
    lab.machine.run("systemctl", "stop", systemd_units.UNIT)
    lab.machine.run("rm", "-rf", f"{CACHE}/xla", f"{CACHE}/.baked")
    for published in (lab.cloud / "objects" / BUCKET / "xla").glob("*"):
        published.unlink()
    lab.archive(archive(tmp_path / "baked", text), BAKED)
    lab.template(simple_release(lab.image, MODEL), model=MODEL, baked=BAKED, budget=20)
    lab.machine.boot(300)
    assert lab.machine.status["state"] == "serving"
    assert stages(lab)["cache"]["note"] == note
    restarts = lab.machine.run("systemctl", "show", "--property=NRestarts", "--value", systemd_units.UNIT)
    assert int(restarts.stdout) == starts - 1


def test_systemd_distinguishes_a_stop_from_an_end(lab: Lab) -> None:
    lab.machine.run("systemctl", "stop", systemd_units.UNIT)
    lab.machine.run("sh", "-c", f"echo new >{CACHE}/.baked")
    lab.machine.run("systemctl", "start", systemd_units.UNIT)
    assert lab.machine.read(f"{CACHE}/.baked") == "tried\n"
    lab.machine.run("systemctl", "stop", systemd_units.UNIT)
    assert lab.machine.read(f"{CACHE}/.baked") == "new\n"
    lab.machine.run("systemctl", "start", systemd_units.UNIT)
    wait_for(lambda: lab.machine.run("docker", "kill", CONTAINER).returncode == 0, 10)
    wait_for(lambda: lab.machine.read(f"{CACHE}/.baked") == "dropped\n", 60)
