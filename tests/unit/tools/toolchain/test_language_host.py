"""The language host's reading of a Python environment and its care for children, without the CLI."""

import os
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import pytest

from tests.signals import ordinary
from tools.toolchain.language_host import processes as processes_module
from tools.toolchain.language_host.environment import Environment, Unusable
from tools.toolchain.language_host.processes import Processes


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """A virtual environment with two made-up distributions, one of which needs the other, and a plugin."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    for name, requires in (("Needs_It", "needed.one>=1; python_version > '3'"), ("needed-one", "")):
        folder = site / f"{name}-1.0.dist-info"
        folder.mkdir()
        lines = [f"Name: {name}", "Version: 1.0", *([f"Requires-Dist: {requires}"] if requires else [])]
        (folder / "METADATA").write_text("\n".join(lines), "utf-8")
    for name, resource in (("pulumi_with", "true"), ("pulumi_without", "false")):
        (site / name).mkdir()
        (site / name / "pulumi-plugin.json").write_text(
            f'{{"resource": {resource}, "name": "{name}", "version": "2.0.0"}}', "utf-8"
        )
    return Environment.of(str(tmp_path), {"virtualenv": "venv"})


def test_dependencies_are_what_nothing_else_brought(environment: Environment) -> None:
    assert environment.dependencies(transitive=False) == [("Needs_It", "1.0")]
    assert environment.dependencies(transitive=True) == [("Needs_It", "1.0"), ("needed-one", "1.0")]


def test_plugins_are_those_of_packages_with_resources(environment: Environment) -> None:
    assert list(environment.plugins()) == [{"resource": True, "name": "pulumi_with", "version": "2.0.0"}]


def test_this_repositorys_environment_asks_for_the_pinned_provider() -> None:
    root = Path(__file__).parents[4]
    plugins = Environment.of(str(root), {"virtualenv": ".venv"}).plugins()
    assert ("kubernetes", metadata.version("pulumi-kubernetes")) in {
        (plugin["name"], plugin["version"]) for plugin in plugins
    }


def test_the_environment_is_activated_for_what_runs_in_it(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHOME", "/elsewhere")
    variables = environment.variables()
    assert variables["VIRTUAL_ENV"] == str(environment.folder)
    assert variables["PATH"].startswith(f"{environment.folder}/bin{os.pathsep}")
    assert "PYTHONHOME" not in variables


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"toolchain": "uv"}, "toolchain: 'uv' is not supported"),
        ({"typechecker": "ty"}, "typechecker: 'ty' is not supported"),
        ({"virtualenv": 3.0}, "virtualenv: 3.0 is not supported"),
        ({"binary": "x"}, "binary: 'x' is not supported"),
    ],
)
def test_an_option_that_is_not_honored_is_refused(options: Mapping[str, object], sentence: str) -> None:
    with pytest.raises(Unusable, match=sentence):
        Environment.of("/project", options)


def test_an_installation_makes_only_what_is_missing(tmp_path: Path) -> None:
    made = Environment.of(str(tmp_path), {"virtualenv": "venv"})
    python = tmp_path / "venv" / "bin" / "python"
    assert [command for _, command in made.installation(tmp_path)] == [
        [sys.executable, "-m", "venv", tmp_path / "venv"]
    ]
    python.parent.mkdir(parents=True)
    python.touch()
    (tmp_path / "requirements.txt").touch()
    install = [python, "-m", "pip", "install", "-r", tmp_path / "requirements.txt"]
    assert [command for _, command in made.installation(tmp_path)] == [[python, "-m", "ensurepip"], install]
    (tmp_path / "venv" / "lib" / "python3.12" / "site-packages" / "pip").mkdir(parents=True)
    assert [command for _, command in made.installation(tmp_path)] == [install]
    with pytest.raises(Unusable, match=r"add `virtualenv: \.venv`"):
        list(Environment.of(str(tmp_path), {}).installation(tmp_path))


def test_a_child_that_ignores_the_polite_signal_is_ended_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert processes_module.GRACE_SECONDS < 5, "the CLI kills the host itself after 5 s"
    monkeypatch.setattr(processes_module, "GRACE_SECONDS", 0.2)
    processes = Processes()
    script = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
    with processes.start(["sh", "-c", script], cwd=tmp_path, env=os.environ, capture=True) as child:
        assert child.stdout is not None and child.stdout.readline() == b"ready\n"
        processes.end_all()
        assert child.returncode == -9
    assert processes.ended


def test_nothing_starts_to_run_after_the_end(tmp_path: Path) -> None:
    processes = Processes()
    processes.end_all()
    with ordinary(), processes.start(["sleep", "600"], cwd=tmp_path, env=os.environ) as child:
        assert child.wait(60) == -15
