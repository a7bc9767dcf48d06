"""Options of the whole suite."""

import gc
import os
import random

import pytest

# The SDKs make a million objects that stay: looking for garbage among them takes a second of the fast tests.
gc.disable()

# With a proxy in the environment, which downloads may need, the tests' own servers are still asked directly.
for _name in ("no_proxy", "NO_PROXY"):
    os.environ[_name] = ",".join(filter(None, (os.environ.get(_name), "localhost", "127.0.0.1")))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--update`, which rewrites the golden files (review their diff), and `--shuffle SEED`."""
    parser.addoption("--update", action="store_true", help="rewrite golden files instead of comparing")
    parser.addoption("--shuffle", metavar="SEED", help="run the tests in the random order of this seed")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Find tests of the fast tiers that rely on the test before them; a deployment's tests are one story."""
    seed = config.getoption("--shuffle")
    if seed is not None:
        random.Random(seed).shuffle(items)


def pytest_collection_finish() -> None:
    """Everything is imported now."""
    gc.freeze()
    gc.enable()
