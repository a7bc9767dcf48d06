"""One real server for all cluster tests: the `test` instance, started as a user starts theirs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster_fixtures import cluster_instance as cluster_instance
from tests.cluster.cluster_fixtures import probe_archive as probe_archive
from tests.cluster.cluster_fixtures import probes as probes
from tests.cluster.cluster_fixtures import started as started
from tests.cluster.cluster_fixtures import tpu_server as tpu_server
from tests.cluster.commands import Server, local
from tests.cluster.rollouts import Checkout
from tools.support import host, paths
from tools.support.progress import Refusal

PICTURES = "--pictures"


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
def checkout(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Returns a checkout whose stack, with a small engine, has taken the place of the delivered one."""
    made = Checkout(tmp_path_factory.mktemp("checkout"))
    made.change(replicas=1)
    made.up()
    return made


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the tests of the delivered stack come first: each change between the engines is a boot."""
    items.sort(key=lambda item: "checkout" in getattr(item, "fixturenames", ()))
