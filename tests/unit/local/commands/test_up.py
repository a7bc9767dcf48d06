"""`make up` refuses what the node cannot hold before it builds anything."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.commands import client, prepare, up
from tools.support import chat, host, paths
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


class Asked:
    """A server that is out of reach for the first questions."""

    def __init__(self, out_of_reach: int) -> None:
        self.left = out_of_reach

    def ask(self, prompt: str, max_tokens: int) -> Iterator[str]:
        self.left -= 1
        if self.left >= 0:
            raise chat.Unreachable("The server does not answer.")
        yield from ("Hel", "lo")


def test_the_first_question_waits_for_a_server_that_is_out_of_reach(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    server = Asked(3)
    monkeypatch.setattr(client, "server", lambda: server)
    up._ask()
    assert capsys.readouterr().out == "Hello\n"
    monkeypatch.setattr(up, "ANSWER_SECONDS", 0.0)
    gone = Asked(10**6)
    monkeypatch.setattr(client, "server", lambda: gone)
    with pytest.raises(Refusal, match=r"^The server does not answer\.$"):
        up._ask()
