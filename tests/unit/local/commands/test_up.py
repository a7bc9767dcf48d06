"""`make up` refuses what the node cannot hold before it builds anything."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from local.commands import prepare, up
from tools.support import host, paths
from tools.support.progress import Refusal

GB = 10**9
FOUR = (
    "replicas in Pulumi.local.yaml is 4 and rollout.surge 0, and the local node has the chips of 3 slices, "
    "one for each server: their sum may be 3."
)
TWO = (
    "The local cluster needs 18 GB of memory for 2 servers and this machine has 16 GB: set replicas in "
    "Pulumi.local.yaml to 1, and rollout.surge to 0."
)
ZERO = "replicas is 0; it must be at least 1; raise it."


class Reached(Exception):
    """Raised where the first build would begin."""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """Runs `make up` with so many servers on a machine with so many GB, until it would build."""

    def make_up(servers: int, gigabytes: int) -> None:
        stack = (paths.REPOSITORY / "Pulumi.local.yaml").read_text("utf-8")
        assert "config:\n" in stack and "replicas" not in stack
        (tmp_path / "Pulumi.local.yaml").write_text(
            stack.replace("config:\n", f"config:\n  tpuserve:replicas: {servers}\n"), "utf-8"
        )
        sizes = {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": gigabytes * GB}
        monkeypatch.setattr(os, "sysconf", lambda name: sizes[name])
        monkeypatch.setattr(paths, "REPOSITORY", tmp_path)
        up.up()

    def build(*parts: str) -> None:
        raise Reached

    monkeypatch.setenv("TPUSERVE_CACHE", str(tmp_path))
    monkeypatch.setattr(host, "require_kind", lambda: None)
    monkeypatch.setattr(host, "DISK_GB", 0)
    monkeypatch.setattr(prepare, "ensure", build)
    return make_up


@pytest.mark.parametrize(("servers", "gigabytes"), [(1, 12), (2, 18), (3, 24)])
def test_servers_that_fit_are_built(run: Callable[[int, int], None], servers: int, gigabytes: int) -> None:
    with pytest.raises(Reached):
        run(servers, gigabytes)


@pytest.mark.parametrize(("servers", "gigabytes", "sentence"), [(4, 100, FOUR), (2, 16, TWO), (0, 100, ZERO)])
def test_servers_that_do_not_fit_are_refused_before_a_build(
    run: Callable[[int, int], None], servers: int, gigabytes: int, sentence: str
) -> None:
    with pytest.raises(Refusal) as refused:
        run(servers, gigabytes)
    assert str(refused.value) == sentence
