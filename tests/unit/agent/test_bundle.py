"""The files that a ConfigMap carries are the package, whole, and Python finds its entry point."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import agent
from agent import bundle
from tests.inventory.recorder import REPOSITORY


def unpack(folder: Path) -> Path:
    for path, text in bundle.files().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def run(folder: Path, program: str) -> str:
    command = [sys.executable, "-S", "-c", program]
    environment = {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment, cwd=folder
    ).stdout


def test_python_finds_the_plugin_and_the_middleware_in_the_mounted_folder(tmp_path: Path) -> None:
    """Runs without site-packages: the carried files need only the standard library."""
    program = (
        "from importlib.metadata import entry_points\n"
        "found = sorted(entry_points(group='vllm.general_plugins'), key=lambda point: point.name)\n"
        "from agent.server.guard import Guard\n"
        "print(*((point.name, point.load().__module__) for point in found), Guard.__name__, sep='\\n')"
    )
    assert run(unpack(tmp_path), program).splitlines() == [
        "('tpuserve_cache_events', 'agent.server.compile_cache_events')",
        "('tpuserve_grammar_rows', 'agent.server.grammar_rows')",
        "('tpuserve_tool_calls', 'agent.server.gemma4_tool_calls')",
        "Guard",
    ]


def test_every_module_that_the_carried_ones_import_is_carried() -> None:
    for path, text in bundle.files().items():
        if not path.endswith(".py"):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "agent":
                module = str(node.module)
                imported = [module, *(f"{module}.{alias.name}" for alias in node.names)]
                modules = {f"{name.replace('.', '/')}.py" for name in imported}
                existing = {name for name in modules if (REPOSITORY / name).exists()}
                assert existing and existing <= {*bundle.files()}, f"{path}: {imported}"


def test_no_file_of_the_bundle_is_missing_or_over_a_configmap() -> None:
    files = bundle.files()
    assert all(text for path, text in files.items())
    assert sum(len(text.encode()) for text in files.values()) < 512 * 1024


def test_the_digest_follows_the_text_and_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    first = bundle.digest()
    files = bundle.files()
    assert first == bundle.digest() and len(first) == 64
    changed = {**files, "agent/server/guard.py": files["agent/server/guard.py"] + "\n"}
    moved = {path.replace("request_rules", "more_rules"): text for path, text in files.items()}
    seen = {first}
    for other in (changed, moved):
        monkeypatch.setattr(bundle, "files", lambda other=other: other)
        seen.add(bundle.digest())
    assert len(seen) == 3


def test_the_agent_imports_no_other_part_of_the_project() -> None:
    for file in Path(agent.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            tops = {name.split(".")[0] for name in names}
            assert not tops & {"serving", "components", "stacks", "local", "proof", "policies"}, file
