"""Fixtures of the tests with the real Pulumi CLI, once a session: control plane, foundation, policy pack."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests import warm_python
from tests.pulumi.deployment import PACK, Deployment
from tools import toolchain
from tools.fake_gcp.cloud.autoscaler import Autoscaler
from tools.fake_gcp.kubernetes import types
from tools.fake_gcp.kubernetes.control_plane import ControlPlane


@dataclass(frozen=True)
class Cloud:
    """Fake Google Cloud with a foundation, and the API server that serves all its clusters.

    All clusters are this API server, so only one GKE stack is up at a time.
    """

    deployment: Deployment
    plane: ControlPlane
    pack: tuple[str, str]

    @contextlib.contextmanager
    def stack(self, name: str, changes: Mapping[str, Any]) -> Iterator[Deployment]:
        """Yields a new, empty stack, and destroys it at the end unless a test has done so."""
        self.deployment.add(name, changes)
        try:
            yield self.deployment
        finally:
            self.deployment.use(name)
            if self.deployment.state():
                self.deployment.change({**changes, "target.protect": False})
                self.deployment.console.order()
                self.deployment.up()
                self.deployment.good("destroy", "--yes", "--skip-preview")

    def items(self, *words: str) -> list[dict[str, Any]]:
        """Returns what `kubectl get WORDS` finds."""
        return json.loads(self.plane.kubectl("get", *words, "-o", "json"))["items"]


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Yields a running control plane with GKE's types."""
    with ControlPlane(tmp_path_factory.mktemp("plane")) as running:
        types.install(running)
        yield running


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Returns the project with its foundation up; it stays up until the session ends."""
    toolchain.ensure("pulumi", "provider-kubernetes")
    deployment = Deployment(tmp_path_factory.mktemp("deployment"))
    deployment.add("foundation", {})
    deployment.up()
    return deployment


@pytest.fixture(scope="session")
def pack(founded: Deployment, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Returns the options for the policy pack, in a warm copy of its environment."""
    founded.good("install", "--cwd", str(PACK))
    folder = tmp_path_factory.mktemp("policies")
    for file in PACK.glob("*.*"):
        (folder / file.name).symlink_to(file)
    (folder / "venv").symlink_to(warm_python.environment(PACK / "venv"))
    return "--policy-pack", str(folder)


@pytest.fixture(scope="session")
def cloud(founded: Deployment, plane: ControlPlane, pack: tuple[str, str]) -> Iterator[Cloud]:
    """Yields the fake Google Cloud with a foundation and a cluster that grows when pods wait for chips."""
    founded.connect(plane)
    with Autoscaler(plane, founded.console):
        yield Cloud(founded, plane, pack)
