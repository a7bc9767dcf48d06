"""Options of the whole suite."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update` rewrites the golden files; review their diff."""
    parser.addoption("--update", action="store_true", help="rewrite golden files instead of comparing")
