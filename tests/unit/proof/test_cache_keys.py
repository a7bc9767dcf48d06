"""Processes that compile into one cache, with a stand-in for the part of JAX that names and reads entries."""

import multiprocessing
import sys
import time
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path
from types import ModuleType

import pytest

from proof import cache_keys
from proof.cache_keys import Known, WatchedKeys, must_be_whole
from proof.work_folder import Record, WorkFolder
from tests.unit.serving.proved import program

SECONDS = 30


@pytest.fixture
def jax(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`get_cache_key` gives the key that it is asked for, and an entry is whole when it says so."""

    def decompress(content: bytes) -> bytes:
        if content != b"whole":
            raise ValueError(content)
        return content

    module = ModuleType("compilation_cache")
    monkeypatch.setattr(module, "get_cache_key", lambda key: key, raising=False)
    monkeypatch.setattr(module, "decompress_executable", decompress, raising=False)
    parent = ModuleType("jax._src")
    monkeypatch.setattr(parent, "compilation_cache", module, raising=False)
    for name, made in (
        ("jax", ModuleType("jax")),
        ("jax._src", parent),
        ("jax._src.compilation_cache", module),
    ):
        monkeypatch.setitem(sys.modules, name, made)
    return module


@pytest.fixture
def folder(tmp_path: Path) -> WorkFolder:
    return WorkFolder(tmp_path, "graph", {})


def process(work: Callable[[], None]) -> multiprocessing.Process:
    """Another process, forked so that it has the stand-in as well."""
    started = multiprocessing.get_context("fork").Process(target=work)
    started.start()
    return started  # pyright: ignore[reportReturnType]


def record(number: int, key: str) -> Record:
    return Record(number=number, kind="sample", shape="", key=key, program=program("sample"))


def events(number: int) -> list[Event]:
    return [multiprocessing.get_context("fork").Event() for _ in range(number)]


def test_an_entry_is_not_removed_between_its_writing_and_its_check(
    jax: ModuleType, folder: WorkFolder
) -> None:
    written, asked = events(2)

    def first() -> None:
        with WatchedKeys(folder):
            key = jax.get_cache_key("jit_f-1")
            (folder.cache / f"{key}-cache").write_bytes(b"whole")
            written.set()
            assert asked.wait(SECONDS)
            time.sleep(0.3)  # while the other one asks for the same key
            must_be_whole(folder.cache / f"{key}-cache")
        folder.add(record(1, key))

    other = process(first)
    assert written.wait(SECONDS)
    with WatchedKeys(folder):
        asked.set()
        with pytest.raises(Known):
            jax.get_cache_key("jit_f-1")
    other.join(SECONDS)
    assert other.exitcode == 0
    must_be_whole(folder.cache / "jit_f-1-cache")


def test_what_a_process_that_died_has_left_is_compiled_again(jax: ModuleType, folder: WorkFolder) -> None:
    def dies() -> None:
        WatchedKeys(folder).__enter__()
        jax.get_cache_key("jit_f-1")
        (folder.cache / "jit_f-1-cache").write_bytes(b"who")

    process(dies).join(SECONDS)
    assert (folder.cache / "jit_f-1-cache").exists()
    with WatchedKeys(folder) as found:
        assert jax.get_cache_key("jit_f-1") == "jit_f-1"
    assert found == ["jit_f-1"]
    assert not (folder.cache / "jit_f-1-cache").exists()


def test_two_processes_that_want_two_keys_in_two_orders_both_get_them(
    jax: ModuleType, folder: WorkFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_keys, "RECORD_SECONDS", 0.1)
    held, wanted = events(2)

    def first() -> None:
        with WatchedKeys(folder):
            jax.get_cache_key("jit_f-1")
            held.set()
            assert wanted.wait(SECONDS)
            jax.get_cache_key("jit_f-2")

    other = process(first)
    assert held.wait(SECONDS)
    with WatchedKeys(folder):
        jax.get_cache_key("jit_f-2")
        wanted.set()
        jax.get_cache_key("jit_f-1")
    other.join(SECONDS)
    assert other.exitcode == 0


def test_a_known_key_waits_for_nobody(jax: ModuleType, folder: WorkFolder) -> None:
    with WatchedKeys(None), pytest.raises(Known):
        jax.get_cache_key("jit_f-1")
    folder.add(record(1, "jit_f-2"))
    with WatchedKeys(folder), pytest.raises(Known):
        jax.get_cache_key("jit_f-2")
