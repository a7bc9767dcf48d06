"""The commands of a user, and the server that they have started."""

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import httpx

from local.commands import client
from tools import toolchain
from tools.support import paths

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
        cwd=paths.REPOSITORY,
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
