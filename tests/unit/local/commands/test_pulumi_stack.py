"""Which locks on the local stack are those of runs that died."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.commands import pulumi_stack
from tools import toolchain


@pytest.fixture
def sleeper(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[int]:
    """Process id of a living program of the given name."""
    program = shutil.copy(shutil.which("sleep") or "", tmp_path / request.param)
    process = subprocess.Popen([program, "60"])
    yield process.pid
    process.kill()
    process.wait()


@pytest.mark.parametrize(
    ("sleeper", "dead"),
    [("pulumi", False), ("pulumi-real", False), ("sshd", True)],
    indirect=["sleeper"],
)
def test_a_lock_is_alive_while_a_pulumi_has_its_id(
    sleeper: int, dead: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An id is given out again: whoever else has it now holds no lock."""
    environment = {"PULUMI_BACKEND_URL": f"file://{tmp_path}"}
    monkeypatch.setattr(toolchain, "pulumi_environment", lambda: environment)
    locks = tmp_path / ".pulumi" / "locks" / "organization" / "tpuserve" / "local"
    locks.mkdir(parents=True)
    (locks / "one.json").write_text(json.dumps({"pid": sleeper}))
    assert pulumi_stack._dead_locks("local") == ([sleeper] if dead else [])
