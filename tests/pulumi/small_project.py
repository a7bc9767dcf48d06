"""Small project of a single test for the real CLI, with this repository's language host."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests import cli
from tools import toolchain
from tools.support import paths

COMPONENT = """
import sys

import pulumi


class Box(pulumi.ComponentResource):
    def __init__(self, name: str, size: int) -> None:
        super().__init__("tiny:index:Box", name, {"size": size})
        self.register_outputs({"size": size})


Box("box", 3)
"""
"""Program that needs no provider."""


@dataclass(frozen=True)
class Project:
    """Project folder with its own home and backend, and this repository's virtual environment."""

    folder: Path
    environment: Mapping[str, str]

    def describe(self, options: Mapping[str, object]) -> None:
        """Write Pulumi.yaml with these runtime options."""
        runtime = {"name": "python", "options": dict(options)}
        (self.folder / "Pulumi.yaml").write_text(
            yaml.safe_dump({"name": "tiny", "runtime": runtime}), "utf-8"
        )

    def program(self, text: str) -> None:
        (self.folder / "__main__.py").write_text(text, "utf-8")

    def pulumi(self, *words: str, fails: bool = False, folder: Path | None = None) -> str:
        """Run `pulumi WORDS`, check its exit code against `fails`, and return everything that it printed."""
        words = ("pulumi", *words, "--non-interactive")
        code, shown = cli.run(words, folder or self.folder, self.environment)
        assert (code != 0) is fails, shown
        assert "from $PATH" not in shown, "the language host is not where the CLI expects it"
        return shown


def new_project(scratch: Path) -> Project:
    """Returns a project with the stack `dev`; skips where the machine's pulumi has its own language host."""
    if "PULUMI_HOME" not in toolchain.pulumi_environment():
        pytest.skip(f"{toolchain.path('pulumi')} is the machine's own and brings its own language host")
    (scratch / "backend").mkdir()
    project = Project(scratch / "project", cli.apart(scratch))
    project.folder.mkdir()
    (project.folder / ".venv").symlink_to(paths.REPOSITORY / ".venv")
    project.describe({"virtualenv": ".venv", "toolchain": "pip"})
    project.pulumi("stack", "init", "dev")
    return project
