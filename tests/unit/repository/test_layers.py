"""The house has four layers and one direction; this is what keeps it so."""

import ast
import graphlib
from collections import Counter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]

PULUMI = ("pulumi", "pulumi_kubernetes", "pulumi_gcp")
RUN_ELSEWHERE = (
    *("agent", "doctor", "explain", "load_test", "local", "operate"),
    *("planner", "policies", "proof", "releases", "tests", "tools"),
)

FORBIDDEN = {
    "serving": (*PULUMI, *RUN_ELSEWHERE, "components", "config", "stacks"),
    "config": (*PULUMI, *RUN_ELSEWHERE, "components", "stacks"),
    "components": (*RUN_ELSEWHERE, "config", "stacks"),
    "stacks": (
        *("doctor", "explain", "load_test", "operate", "planner"),
        *("policies", "proof", "releases", "tests", "tools"),
    ),
    "doctor": (*PULUMI, *(set(RUN_ELSEWHERE) - {"doctor", "tools"})),
    "explain": (*PULUMI, *(set(RUN_ELSEWHERE) - {"explain"}), "components", "stacks"),
    "load_test": (
        *(*PULUMI, "components", "doctor", "explain"),
        *("planner", "policies", "proof", "releases", "stacks", "tests"),
    ),
    "operate": (*PULUMI, *(set(RUN_ELSEWHERE) - {"local", "operate", "tools"}), "components", "stacks"),
    # Of load_test/ the ladders and the charts, which are pure.
    "planner": (*PULUMI, *(set(RUN_ELSEWHERE) - {"planner", "load_test"}), "components", "stacks"),
    "proof": (*PULUMI, *(set(RUN_ELSEWHERE) - {"proof"}), "components", "stacks"),
    "agent": (*PULUMI, *(set(RUN_ELSEWHERE) - {"agent"}), "components", "config", "serving", "stacks"),
    # Of serving/ only tables: test_policies.py imports the rules without any package.
    "policies": (*(set(RUN_ELSEWHERE) - {"policies"}), "components", "config", "stacks"),
    "local": (*PULUMI, *(set(RUN_ELSEWHERE) - {"local", "tools"}), "components", "stacks"),
    "releases": (
        *(*PULUMI, "components", "doctor", "explain", "load_test", "operate"),
        *("planner", "policies", "proof", "tests"),
    ),
    "tools": (*(set(RUN_ELSEWHERE) - {"agent", "tools"}), "components", "stacks"),
}
LANGUAGE_HOST = REPOSITORY / "tools" / "toolchain" / "language_host"
"""Part of the engine, not of the local cluster: it speaks Pulumi's own protocol."""

LAYERS = (
    *("serving", "config", "components", "stacks", "doctor", "explain", "load_test", "agent"),
    *("local", "operate", "planner", "policies", "proof", "releases", "tests", "tools"),
)
MOST_LINES = 400
MOST_FILES = 23

LONGEST_CHAIN = 6
"""Packages of serving/ on one path of imports: so many must be read, at most, to understand one of them."""


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


def packages(layer: str) -> dict[str, set[str]]:
    """Each folder of a layer, and the other folders of that layer that its files import."""
    depth, prefix = layer.count("/") + 1, layer.replace("/", ".") + "."
    found: dict[str, set[str]] = {}
    for path in sources(layer):
        folder = path.relative_to(REPOSITORY).parts[depth]
        if folder.endswith(".py"):
            continue
        names = found.setdefault(folder, set())
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                full = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                names |= {name.split(".")[depth] for name in full if name.startswith(prefix)}
    return {folder: (names & set(found)) - {folder} for folder, names in found.items()}


def longest_chain(graph: dict[str, set[str]]) -> list[str]:
    """The longest path of imports. Raises graphlib.CycleError where packages import each other."""
    chains: dict[str, list[str]] = {}
    for folder in graphlib.TopologicalSorter(graph).static_order():
        chains[folder] = [folder, *max((chains[below] for below in graph[folder]), key=len, default=[])]
    return max(chains.values(), key=len)


@pytest.mark.parametrize(
    "layer", ["agent", "components", "local", "operate", "stacks", "tools", "tools/fake_gcp"]
)
def test_packages_of_a_layer_have_one_direction(layer: str) -> None:
    assert longest_chain(packages(layer))


def test_top_level_packages_have_one_direction() -> None:
    graph = {
        layer: set[str]().union(*map(imported, sources(layer))) & set(LAYERS) - {layer} for layer in LAYERS
    }
    assert longest_chain(graph)[0] == "tests"


def test_no_package_is_too_wide() -> None:
    """One component a file is fine in `components/gcp`; elsewhere another package is due."""
    counts = Counter(str(path.parent.relative_to(REPOSITORY)) for path in sources(*LAYERS))
    del counts["components/gcp"]
    assert {folder: files for folder, files in counts.items() if files > MOST_FILES} == {}


def test_packages_of_serving_have_one_direction_and_few_floors() -> None:
    graph = packages("serving")
    assert len(graph) == 10
    chain = longest_chain(graph)
    assert len(chain) <= LONGEST_CHAIN, chain


def test_a_cycle_between_packages_is_found() -> None:
    with pytest.raises(graphlib.CycleError):
        longest_chain({"a": {"b"}, "b": {"a"}})


def test_only_one_file_reads_the_configuration() -> None:
    readers = [
        str(path.relative_to(REPOSITORY))
        for path in [
            *sources("components", "config", "explain", "stacks", "serving"),
            REPOSITORY / "__main__.py",
        ]
        if "pulumi.Config" in path.read_text("utf-8") or "runtime.config" in path.read_text("utf-8")
    ]
    assert readers == ["stacks/load.py"]


def test_components_know_no_environment() -> None:
    for path in sources("components"):
        text = path.read_text("utf-8")
        assert "get_stack" not in text and "prod" not in text.lower().replace("product", ""), path


def test_stacks_takes_from_local_only_its_interface() -> None:
    names = {
        (str(path.relative_to(REPOSITORY)), f"{node.module}.{alias.name}")
        for path in sources("stacks")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "local"
        for alias in node.names
    }
    assert names == {("stacks/local.py", "local.interface")}


def test_no_file_outgrows_its_room() -> None:
    long = {
        str(path.relative_to(REPOSITORY)): lines
        for path in sources(*LAYERS)
        if (lines := len(path.read_text("utf-8").splitlines())) > MOST_LINES
    }
    assert long == {}
