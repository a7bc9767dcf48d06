"""Options of the whole suite."""

import gc

import pytest

# The SDKs make a million objects that stay: looking for garbage among them takes a second of the fast tests.
gc.disable()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update` rewrites the golden files; review their diff."""
    parser.addoption("--update", action="store_true", help="rewrite golden files instead of comparing")


def pytest_collection_finish() -> None:
    """Everything is imported now."""
    gc.freeze()
    gc.enable()
