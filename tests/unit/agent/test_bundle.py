"""The files that a ConfigMap carries are the package, whole, and Python finds its entry point."""

import ast
import subprocess
import sys
from pathlib import Path

import agent
from agent import bundle
from tests.inventory.recorder import REPOSITORY


def unpack(folder: Path) -> Path:
    for path, text in bundle.files().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def run(folder: Path, program: str, *flags: str) -> str:
    command = [sys.executable, *flags, "-c", program]
    environment = {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment, cwd=folder
    ).stdout


def test_python_finds_the_plugin_and_the_middleware_in_the_mounted_folder(tmp_path: Path) -> None:
    """Plugins run without site-packages; the middleware needs the metrics library of vLLM."""
    program = (
        "from importlib.metadata import entry_points\n"
        "found = sorted(entry_points(group='vllm.general_plugins'), key=lambda point: point.name)\n"
        "print(*((point.name, point.load().__module__) for point in found), sep='\\n')"
    )
    assert run(unpack(tmp_path), program, "-S").splitlines() == [
        "('tpuserve_cache_events', 'agent.server.compile_cache_events')",
        "('tpuserve_cache_start', 'agent.server.cache_start')",
        "('tpuserve_chips', 'agent.server.chips')",
        "('tpuserve_grammar_rows', 'agent.server.grammar_rows')",
        "('tpuserve_tool_calls', 'agent.server.gemma4_tool_calls')",
    ]
    assert run(tmp_path, "from agent.server.guard import Guard; print(Guard.__module__)") == (
        "agent.server.guard\n"
    )


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


def test_the_agent_imports_no_other_part_of_the_project() -> None:
    for file in Path(agent.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            tops = {name.split(".")[0] for name in names}
            assert not tops & {"serving", "components", "stacks", "local", "proof", "policies"}, file
