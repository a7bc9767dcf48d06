"""The step before each start of a server in a pod, in vLLM's first process only."""

import logging
import os
import zlib
from pathlib import Path

import pytest

from agent.compile_cache import trial
from agent.compile_cache.folder import claim
from agent.server import cache_start


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Returns the cache of a pod whose init container has restored a baked one."""
    folder = tmp_path / "xla"
    claim("xla/0.tar", folder)
    (folder / "jit_a-cache").write_bytes(zlib.compress(b"a program"))
    trial.begin(folder)
    return folder


def start(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Be the first process of a server's container."""
    monkeypatch.setenv(cache_start.FOLDER_VARIABLE, str(folder))
    cache_start.register()


def test_a_second_start_without_an_answer_empties_a_baked_cache(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, folder: Path
) -> None:
    start(monkeypatch, folder)
    assert trial.state(folder) == "tried" and not caplog.messages
    # As the engine's process, which inherits the environment.
    cache_start.register()
    assert trial.state(folder) == "tried" and cache_start.FOLDER_VARIABLE not in os.environ
    start(monkeypatch, folder)
    assert caplog.messages == [
        "baked cache dropped: the server ended before it was ready; this start compiles"
    ]
    assert list(folder.iterdir()) == []


def test_a_half_written_program_is_deleted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, folder: Path
) -> None:
    trial.withdraw(folder)
    (folder / "jit_b-cache").write_bytes(zlib.compress(b"a program")[:-1])
    start(monkeypatch, folder)
    assert caplog.messages == ["1 half-written programs deleted: this start compiles them"]
    assert [file.name for file in folder.iterdir()] == ["jit_a-cache"]


def test_a_disk_that_fails_stops_no_server(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    (tmp_path / ".baked").mkdir()
    start(monkeypatch, tmp_path / "xla")
    ((_, level, message),) = caplog.record_tuples
    assert level == logging.WARNING
    assert message.startswith(f"{tmp_path / 'xla'} cannot be checked ([Errno 21] Is a directory")
