"""Fixtures of the guard's tests: a file with a key, and a stand-in for vLLM's application."""

from pathlib import Path

import pytest

from agent.server.guard import KEY_FILE_VARIABLE
from tests.unit.agent.stand_in import KEY, Inner


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(file))
    return file


@pytest.fixture
def inner() -> Inner:
    return Inner()
