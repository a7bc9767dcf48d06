"""Machine on which nothing is missing, for every test of doctor."""

from pathlib import Path

import pytest

from doctor.checks import endpoint
from tests.unit.doctor import world
from tests.unit.doctor.stand_in import PROJECT


@pytest.fixture(autouse=True)
def complete_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets up every program, the state in a bucket, and the endpoint's DNS record."""
    monkeypatch.setenv("TPUSERVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(world.programs(tmp_path / "bin")))
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"gs://{PROJECT}-pulumi")
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "pulumi"))
    monkeypatch.delenv("PULUMI_ACCESS_TOKEN", raising=False)
    known = {world.HOST: (world.ADDRESS,)}
    monkeypatch.setattr(endpoint, "addresses", lambda hostname: known.get(hostname, ()))
