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


OWN = {"PULUMI_BACKEND_URL": "gs://acme-pulumi"}
ENVIRONMENTS = [
    ("nothing", {}, None),
    ("a backend", OWN, "gs://acme-pulumi"),
    ("a token", {"PULUMI_ACCESS_TOKEN": "canary"}, ""),
    # `eval "$(make -s env)"` in the same shell.
    ("the local stack's", {"PULUMI_BACKEND_URL": "file:///local", "PULUMI_HOME": "/local/home"}, None),
]


@pytest.mark.parametrize(
    ("variables", "backend"), [row[1:] for row in ENVIRONMENTS], ids=[row[0] for row in ENVIRONMENTS]
)
def test_the_users_state_is_never_the_local_stacks(
    variables: dict[str, str], backend: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = {"PULUMI_BACKEND_URL": "file:///local", "PULUMI_HOME": "/local/home", "PATH": "/toolchain"}
    monkeypatch.setattr(toolchain, "pulumi_environment", lambda: instance)
    for name in ("PULUMI_BACKEND_URL", "PULUMI_ACCESS_TOKEN", "PULUMI_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = pulumi_stack.own_environment()
    assert (None if found is None else found.get("PULUMI_BACKEND_URL", "")) == backend
    assert found is None or (found["PATH"] == "/toolchain" and "PULUMI_HOME" not in found)


def test_a_login_at_a_backend_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "pulumi_environment", lambda: {"PULUMI_BACKEND_URL": "file:///local"})
    for name in ("PULUMI_BACKEND_URL", "PULUMI_ACCESS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "credentials.json").touch()
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    assert pulumi_stack.own_environment() is not None
