"""Python environment that a project's runtime options name, and what is installed in it."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

TYPECHECKERS = ("mypy", "pyright")


class Unusable(Exception):
    """Options or environment that cannot be used. The text is one sentence for the user."""


@dataclass(frozen=True)
class Environment:
    """`runtime.options` of a Pulumi.yaml or PulumiPolicy.yaml, as Pulumi documents them."""

    root: Path
    virtualenv: str
    typechecker: str

    @classmethod
    def of(cls, root: str, options: Mapping[str, object]) -> "Environment":
        """Raises Unusable for an option that this host does not support."""
        for key, value in options.items():
            allowed = {"virtualenv": None, "toolchain": ("pip",), "typechecker": TYPECHECKERS}.get(key, ())
            if not isinstance(value, str) or (allowed is not None and value not in allowed):
                raise Unusable(
                    f"The runtime option {key}: {value!r} is not supported by the language host of "
                    "tools/toolchain, which takes virtualenv: FOLDER, toolchain: pip and typechecker: "
                    f"{' or '.join(TYPECHECKERS)}: change the option, or put a released pulumi on PATH."
                )
        return cls(Path(root), str(options.get("virtualenv", "")), str(options.get("typechecker", "")))

    @property
    def folder(self) -> Path | None:
        """Returns the virtual environment's folder; None when the options name none."""
        return self.root / self.virtualenv if self.virtualenv else None

    def python(self) -> Path:
        """Returns the interpreter that runs programs. Raises Unusable when there is none."""
        if self.folder is not None:
            python = self.folder / "bin" / "python"
            if not python.exists():
                raise Unusable(
                    f"The virtual environment {self.virtualenv!r} that the runtime options name is not in "
                    f"{self.root}: run `pulumi install` there to create it."
                )
            return python
        executable = shutil.which("python3") or shutil.which("python")
        if executable is None:
            raise Unusable(
                "There is no python3 on PATH: install one, or name a virtualenv in runtime.options."
            )
        return Path(executable)

    def variables(self) -> dict[str, str]:
        """Returns the host's own environment variables with the virtual environment activated."""
        variables = dict(os.environ)
        if self.folder is not None:
            variables["VIRTUAL_ENV"] = str(self.folder)
            variables["PATH"] = os.pathsep.join((str(self.folder / "bin"), variables.get("PATH", "")))
            variables.pop("PYTHONHOME", None)
        return variables

    def version(self) -> str:
        return self._ask("import platform; print(platform.python_version())")

    def plugins(self) -> Iterator[dict[str, object]]:
        """Yields the parsed pulumi-plugin.json of each installed Pulumi package that needs a plugin."""
        for folder in self._import_folders():
            for file in sorted(folder.glob("*/pulumi-plugin.json")):
                plugin = json.loads(file.read_text("utf-8"))
                if plugin.get("resource"):
                    yield plugin

    def dependencies(self, *, transitive: bool) -> list[tuple[str, str]]:
        """Returns installed distributions, name and version; without `transitive`, those that no other one
        needs."""
        installed = {
            _canonical(distribution.name): distribution
            for distribution in importlib.metadata.distributions(
                path=[str(f) for f in self._import_folders()]
            )
        }
        needed = {
            _canonical(re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0])
            for distribution in installed.values()
            for requirement in distribution.requires or ()
            if "extra ==" not in requirement
        }
        return sorted(
            (distribution.name, distribution.version)
            for name, distribution in installed.items()
            if transitive or name not in needed
        )

    def _import_folders(self) -> list[Path]:
        return [
            Path(entry)
            for entry in json.loads(self._ask("import json, sys; print(json.dumps(sys.path))"))
            if entry
        ]

    def _ask(self, code: str) -> str:
        # -I: the answer does not depend on the folder in which the CLI was started.
        done = subprocess.run(
            [self.python(), "-I", "-c", code],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode != 0:
            raise Unusable(f"{self.python()} does not run: {' '.join(done.stderr.split())}")
        return done.stdout.strip()

    def installation(self, program: Path) -> Iterator[tuple[str, list[str | Path]]]:
        """Yields the commands that create or update the environment for `program`, each with the line to
        print before it.

        Raises Unusable when there is nothing to install into.
        """
        if self.folder is None:
            raise Unusable(
                f"runtime.options of {self.root} name no virtualenv, and nothing is installed into the "
                "system's Python: add `virtualenv: .venv`."
            )
        python = self.folder / "bin" / "python"
        if not python.exists():
            yield (
                f"Creating the virtual environment {self.folder}",
                [sys.executable, "-m", "venv", self.folder],
            )
        requirements = program / "requirements.txt"
        if not requirements.exists():
            return
        if not any(self.folder.glob("lib/python*/site-packages/pip")):
            yield "Adding pip", [python, "-m", "ensurepip"]
        yield f"Installing {requirements}", [python, "-m", "pip", "install", "-r", requirements]


def _canonical(name: str) -> str:
    """Returns a distribution's normalized name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
