"""What the engine's tests share, once a session: a control plane, a foundation, the policy pack."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from local import toolchain
from tests.engine.deployment import PACK, Deployment
from tests.standin import types
from tests.standin.autoscaler import Autoscaler
from tests.standin.control_plane import ControlPlane


@dataclass(frozen=True)
class Cloud:
    """The pretended Google with a foundation, and the API server that is its clusters.

    All clusters are this one, so a test takes its stack down before the next one puts another up.
    """

    deployment: Deployment
    plane: ControlPlane
    autoscaler: Autoscaler


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A running control plane with GKE's types."""
    with ControlPlane(tmp_path_factory.mktemp("plane")) as running:
        types.install(running)
        yield running


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The project with its foundation up; it stays up until the session ends."""
    toolchain.ensure("pulumi", "provider-kubernetes")
    deployment = Deployment(tmp_path_factory.mktemp("deployment"))
    deployment.add("foundation", {})
    deployment.up()
    return deployment


@pytest.fixture(scope="session")
def cloud(founded: Deployment, plane: ControlPlane) -> Iterator[Cloud]:
    """Google with a foundation and a cluster that grows when pods wait for chips."""
    founded.connect(plane)
    with Autoscaler(plane, founded.console) as autoscaler:
        yield Cloud(founded, plane, autoscaler)


@pytest.fixture(scope="session")
def pack(founded: Deployment) -> tuple[str, str]:
    """Options for the real policy pack, in its own environment (docs/operations.md, step 4)."""
    founded.good("install", "--cwd", str(PACK))
    return "--policy-pack", str(PACK)
