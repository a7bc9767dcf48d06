"""One real server for all cluster tests: the `test` instance, started as a user starts theirs."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.commands import client, pulumi_stack
from tests.cluster.cluster_fixtures import cluster_instance as cluster_instance
from tests.cluster.cluster_fixtures import probe_archive as probe_archive
from tests.cluster.cluster_fixtures import probes as probes
from tests.cluster.cluster_fixtures import started as started
from tests.cluster.cluster_fixtures import tpu_server as tpu_server
from tools.support import host, paths
from tools.support.progress import Refusal

REPOSITORY = paths.REPOSITORY
PICTURES = "--pictures"
UP_SECONDS = 1800


@dataclass(frozen=True)
class Run:
    """Result of a finished command: exit code, and its standard output and error."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


def run(*words: str, seconds: float = UP_SECONDS, env: dict[str, str] | None = None) -> Run:
    """Run a command in the repository as a user would, without a terminal."""
    done = subprocess.run(
        words,
        cwd=REPOSITORY,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr)


def local(*words: str, seconds: float = UP_SECONDS) -> Run:
    """Run `python -m local …`, the program behind every make target."""
    return run(sys.executable, "-m", "local", *words, seconds=seconds)


def pulumi(*words: str) -> Run:
    """Run the real CLI on the local stack, as `make env` sets it up."""
    from tools import toolchain

    return run("pulumi", *words, env=toolchain.pulumi_environment())


@dataclass(frozen=True)
class Server:
    """The running server as a client sees it, and what `make up` printed when it started."""

    first: Run

    @property
    def url(self) -> str:
        """Returns the base URL of the Service, read each time: a test may have destroyed the stack
        meanwhile."""
        return client.endpoint()

    @property
    def key(self) -> str:
        """Returns the present API key."""
        key = client.key()
        assert key
        return key

    def client(self, **options: Any) -> httpx.Client:
        """Returns an HTTP client that sends the API key."""
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=300, trust_env=False, **options)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(PICTURES, type=Path, help="folder for the picture of the dashboard under an overload")


@pytest.fixture(scope="session", autouse=True)
def instance() -> None:
    """Refuse to use the user's own cluster, and say why this machine cannot run these tests."""
    assert paths.instance() == "test", "run `make test`, or set TPUSERVE_INSTANCE=test"
    try:
        host.require()
    except Refusal as refusal:
        pytest.skip(str(refusal))


@pytest.fixture(scope="session")
def server(instance: None) -> Iterator[Server]:
    """Yields the local stack, up and answering; `make up` itself is the set-up."""
    first = local("up")
    assert first.code == 0, first.text
    yield Server(first)


@pytest.fixture(scope="session")
def stack_name() -> str:
    """Returns the name of the local stack."""
    return pulumi_stack.STACK
