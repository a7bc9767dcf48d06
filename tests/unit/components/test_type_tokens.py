"""Type tokens of components, from their source: a token is part of every URN, so it must not drift."""

import re
from pathlib import Path

import pytest

COMPONENTS = Path(__file__).resolve().parents[3] / "components"
CLASS = re.compile(r"^class (\w+)\(pulumi\.ComponentResource\):", re.MULTILINE)
TOKEN = re.compile(r'super\(\).__init__\("([^"]+)"')
FILES = [path for path in sorted(COMPONENTS.rglob("*.py")) if CLASS.search(path.read_text("utf-8"))]


def test_every_component_was_read() -> None:
    assert len(FILES) > 25


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_token_is_the_folder_and_the_class(path: Path) -> None:
    text = path.read_text("utf-8")
    assert TOKEN.findall(text) == [f"tpuserve:{path.parent.name}:{name}" for name in CLASS.findall(text)]
