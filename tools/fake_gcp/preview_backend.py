"""Fake Google Cloud for `make preview`: plugins, states and stack files of its own, in the cache.

Nothing here belongs to the user: it has its own PULUMI_HOME and backend. The stack files are copies, because
the CLI writes a salt into the file of every stack that it creates.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import yaml

from config.stack_text import PREFIX, config_value, configuration
from tools import toolchain
from tools.fake_gcp.cloud import store
from tools.fake_gcp.cloud.gke import VARIABLE as SERVER
from tools.fake_gcp.install import install
from tools.support import atomic_file, paths, progress
from tools.support.progress import Refusal

FAKE_PROJECT = "fake-project"
"""Project ID under which foundations are deployed: the program rejects `up` for the placeholder project."""

SOURCES = ("stacks", "config", "components", "serving", "tools/fake_gcp")


@dataclass(frozen=True)
class FakeCloud:
    """One fake Google Cloud and the states of the stacks in it, in `folder`."""

    folder: Path

    def variables(self) -> dict[str, str]:
        """Returns the variables that point a `pulumi` with `toolchain.pulumi_environment()` at this fake
        cloud."""
        return {
            "PULUMI_HOME": str(paths.offline() / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            store.VARIABLE: str(self.folder / "google"),
        }

    def environment(self) -> dict[str, str]:
        """Returns the whole environment for `pulumi`."""
        inherited = {name: value for name, value in os.environ.items() if name != SERVER}
        return {**inherited, **toolchain.pulumi_environment(), **self.variables()}

    def stack_file(self, stack: str) -> Path:
        """Create the stack if needed, and return the copy of its file with the present configuration."""
        project = self.folder / "project"
        file = project / f"Pulumi.{stack}.yaml"
        if not file.exists():
            for needed in (self.folder / "state", project):
                needed.mkdir(parents=True, exist_ok=True)
            shutil.copy(paths.REPOSITORY / "Pulumi.yaml", project)
            self.pulumi("stack", "init", stack, "--no-select", "--non-interactive", folder=project)
        salt = yaml.safe_load(file.read_text("utf-8")) or {}
        source = yaml.safe_load((paths.REPOSITORY / file.name).read_text("utf-8")) or {}
        atomic_file.write(file, yaml.safe_dump({**salt, "config": source.get("config", {})}))
        return file

    def pulumi(self, *words: str, folder: Path, given: str = "") -> str:
        """Run a short command in `folder`, with `given` as its input, and return its output.

        Raises Refusal with the command's error output when it fails.
        """
        done = subprocess.run(
            ["pulumi", *words],
            cwd=folder,
            env=self.environment(),
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise Refusal(f"`pulumi {' '.join(words)}` failed: {done.stderr.strip()}")
        return done.stdout


def ensure(foundations: Iterable[str]) -> FakeCloud:
    """Returns a fake Google Cloud in which `foundations` are deployed as their files say; takes seconds when
    they changed.

    Raises Refusal when one of them cannot be deployed.
    """
    prepare()
    fake_cloud = FakeCloud(paths.offline() / ("with-foundation" if foundations else "empty"))
    stacks = sorted(foundations)
    recipe = fake_cloud.folder / "recipe"
    digest = _recipe(stacks)
    if not recipe.exists() or recipe.read_text("utf-8") != digest:
        # Start from nothing: protected resources, and fields that Google cannot change, would block an
        # update.
        shutil.rmtree(fake_cloud.folder, ignore_errors=True)
        for stack in stacks:
            _deploy(fake_cloud, stack)
        fake_cloud.folder.mkdir(parents=True, exist_ok=True)
        recipe.write_text(digest, "utf-8")
    return fake_cloud


def foundations() -> list[str]:
    """Returns the stacks of the repository that other stacks depend on."""
    names = [file.name.split(".")[1] for file in sorted(paths.REPOSITORY.glob("Pulumi.*.yaml"))]
    return [name for name in names if target(name).get("kind") == "foundation"]


def target(stack: str) -> Mapping[str, object]:
    """Returns the target in a stack's file, empty when there is none. Raises Refusal for invalid YAML."""
    try:
        values = configuration(paths.REPOSITORY / f"Pulumi.{stack}.yaml")
    except ValueError as mistake:
        raise Refusal(str(mistake)) from None
    value = config_value(values.get(f"{PREFIX}target"))
    return cast(Mapping[str, object], value) if isinstance(value, Mapping) else {}


def prepare() -> None:
    """Install both providers where the CLI looks for them: the fake one under gcp's name, and the real
    Kubernetes one."""
    install(paths.offline() / "home")
    toolchain.ensure_provider(paths.offline() / "home")


def _deploy(fake_cloud: FakeCloud, stack: str) -> None:
    file = fake_cloud.stack_file(stack)
    text = file.read_text("utf-8")
    project = yaml.safe_load(text)["config"]["tpuserve:target"]["project"]
    atomic_file.write(file, text.replace(project, FAKE_PROJECT))
    chosen = ("--stack", stack)
    progress.run(
        f"Deploy {stack} to the fake Google Cloud, for the stacks that depend on it",
        [
            *("pulumi", "up", *chosen, "--config-file", file, "--yes", "--skip-preview"),
            *("--non-interactive", "--color=never"),
        ],
        log=f"offline-{stack}",
        env=fake_cloud.environment(),
        cwd=paths.REPOSITORY,
        advice=f"Fix Pulumi.{stack}.yaml and run the same command again.",
    )
    state = fake_cloud.pulumi("stack", "export", *chosen, folder=file.parent)
    named = state.replace(FAKE_PROJECT, project)
    fake_cloud.pulumi("stack", "import", *chosen, folder=file.parent, given=named)
    atomic_file.write(file, text)


def _recipe(stacks: list[str]) -> str:
    """Returns a digest that changes with everything that a foundation is made from."""
    files = [paths.REPOSITORY / f"Pulumi.{stack}.yaml" for stack in stacks]
    files.append(paths.REPOSITORY / "requirements" / "program.txt")
    for folder in SOURCES:
        files += sorted((paths.REPOSITORY / folder).rglob("*.py"))
    digest = hashlib.sha256()
    for file in files:
        digest.update(str(file.relative_to(paths.REPOSITORY)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
