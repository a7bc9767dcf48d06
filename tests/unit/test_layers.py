"""The house has four layers and one direction; this is what keeps it so."""

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

FORBIDDEN = {
    "serving": (
        "pulumi",
        "pulumi_kubernetes",
        "pulumi_gcp",
        "components",
        "stacks",
        "agent",
        "local",
        "proof",
        "tools",
    ),
    "components": ("stacks", "agent", "local", "proof", "tools"),
    "stacks": ("proof", "policies", "tests", "tools"),
    "proof": ("pulumi", "components", "stacks", "agent", "local", "policies", "tests", "tools"),
    "agent": ("pulumi", "serving", "components", "stacks", "local", "proof", "tools"),
    "local": ("pulumi", "components", "stacks"),
}
LANGUAGE_HOST = REPOSITORY / "local" / "toolchain" / "language_host"
"""Part of the engine, not of the local cluster: it speaks Pulumi's own protocol."""

MOST_LINES = 400


def sources(*folders: str) -> list[Path]:
    found = (path for folder in folders for path in (REPOSITORY / folder).rglob("*.py"))
    # The policies' own Python environment lies in their folder, where the CLI looks for it.
    return sorted(path for path in found if "venv" not in path.relative_to(REPOSITORY).parts)


def imported(path: Path) -> set[str]:
    """Top-level packages that a file imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_a_layer_imports_only_what_is_below_it(layer: str) -> None:
    files = sources(layer)
    assert files, f"{layer}/ has no Python file"
    wrong = {
        str(path): found
        for path in files
        if LANGUAGE_HOST not in path.parents and (found := imported(path) & set(FORBIDDEN[layer]))
    }
    assert wrong == {}


def test_only_settings_reads_the_configuration() -> None:
    readers = [
        str(path.relative_to(REPOSITORY))
        for path in [*sources("components", "stacks", "serving"), REPOSITORY / "__main__.py"]
        if "pulumi.Config" in path.read_text("utf-8") or "runtime.config" in path.read_text("utf-8")
    ]
    assert readers == ["stacks/settings.py"]


def test_components_know_no_environment() -> None:
    for path in sources("components"):
        text = path.read_text("utf-8")
        assert "get_stack" not in text and "prod" not in text.lower().replace("product", ""), path


def test_stacks_takes_from_local_only_where_things_are() -> None:
    for path in sources("stacks"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "local":
                assert path.name == "local.py", f"{path} must not know the local cluster"


def test_no_file_outgrows_its_room() -> None:
    folders = (
        "serving",
        "components",
        "stacks",
        "agent",
        "local",
        "policies",
        "proof",
        "bench",
        "docs",
        "tests",
        "tools",
    )
    long = {
        str(path.relative_to(REPOSITORY)): lines
        for path in sources(*folders)
        if (lines := len(path.read_text("utf-8").splitlines())) > MOST_LINES
    }
    assert long == {}
