"""A small project of the test's own for the real CLI, with the project's own language host."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from local import paths, toolchain

COMPONENT = """
import sys

import pulumi


class Box(pulumi.ComponentResource):
    def __init__(self, name: str, size: int) -> None:
        super().__init__("tiny:index:Box", name, {"size": size})
        self.register_outputs({"size": size})


Box("box", 3)
"""
"""A program that needs no provider."""


@dataclass(frozen=True)
class Project:
    """A project folder with a home and a backend of its own, and this repository's virtual environment."""

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
        """Run `pulumi WORDS`, check that it fails or does not, and return all that it printed."""
        done = subprocess.run(
            ["pulumi", *words, "--non-interactive"],
            cwd=folder or self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert (done.returncode != 0) is fails, done.stdout
        assert "from $PATH" not in done.stdout, "the language host is not where the CLI expects it"
        return done.stdout


def new_project(scratch: Path) -> Project:
    """A project with the stack `dev`; skips where the machine's own pulumi brings its own language host."""
    laid = toolchain.pulumi_environment()
    if "PULUMI_HOME" not in laid:
        pytest.skip(f"{toolchain.path('pulumi')} is the machine's own and brings its own language host")
    own = {"PULUMI_HOME": str(scratch / "home"), "PULUMI_BACKEND_URL": f"file://{scratch / 'state'}"}
    (scratch / "state").mkdir()
    project = Project(scratch / "project", {**os.environ, **laid, **own})
    project.folder.mkdir()
    (project.folder / ".venv").symlink_to(paths.REPOSITORY / ".venv")
    project.describe({"virtualenv": ".venv", "toolchain": "pip"})
    project.pulumi("stack", "init", "dev")
    return project
