"""A pretended Google Cloud for `make preview`: plugins, states and stack files of its own, in the cache.

Nothing here is the user's: not the PULUMI_HOME, not the backend, and the stack files are copies, because
the CLI writes a salt into the file of every stack that it makes.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from local import paths, progress, toolchain
from local.cluster import files
from local.progress import Refusal

# The only thing of tests/ that local/ uses: previews and engine tests must be judged by the same Google.
from tests.standin import store
from tests.standin.gke import VARIABLE as SERVER
from tests.standin.install import install

NOBODY = "pretended-project"
"""Foundations are brought up under this project's id: the program refuses `up` for the placeholder."""

SOURCES = ("stacks", "config", "components", "serving", "tests/standin")


@dataclass(frozen=True)
class Pretended:
    """One pretended Google Cloud and the states of the stacks in it, in `folder`."""

    folder: Path

    def variables(self) -> dict[str, str]:
        """What makes a `pulumi` that works with `toolchain.pulumi_environment()` work in here."""
        return {
            "PULUMI_HOME": str(paths.offline() / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            store.VARIABLE: str(self.folder / "google"),
        }

    def environment(self) -> dict[str, str]:
        """The whole environment for `pulumi`."""
        kept = {name: value for name, value in os.environ.items() if name != SERVER}
        return {**kept, **toolchain.pulumi_environment(), **self.variables()}

    def stack_file(self, stack: str) -> Path:
        """Make sure that the stack exists, and return the copy of its file with today's configuration."""
        project = self.folder / "project"
        file = project / f"Pulumi.{stack}.yaml"
        if not file.exists():
            for needed in (self.folder / "state", project):
                needed.mkdir(parents=True, exist_ok=True)
            shutil.copy(paths.REPOSITORY / "Pulumi.yaml", project)
            self.pulumi("stack", "init", stack, "--no-select", "--non-interactive", folder=project)
        salt = yaml.safe_load(file.read_text("utf-8")) or {}
        given = yaml.safe_load((paths.REPOSITORY / file.name).read_text("utf-8")) or {}
        files.write(file, yaml.safe_dump({**salt, "config": given.get("config", {})}))
        return file

    def pulumi(self, *words: str, folder: Path, given: str = "") -> str:
        """Run a short command in `folder`, with `given` as its input, and return its output.

        Raises Refusal with what it said when it fails.
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


def ensure(foundations: Iterable[str]) -> Pretended:
    """A pretended Google in which `foundations` are deployed as their files say; seconds when they changed.

    Raises Refusal when one of them cannot be deployed.
    """
    prepare()
    pretended = Pretended(paths.offline() / ("with-foundation" if foundations else "empty"))
    stacks = sorted(foundations)
    recipe = pretended.folder / "recipe"
    wanted = _recipe(stacks)
    if not recipe.exists() or recipe.read_text("utf-8") != wanted:
        # From nothing: what is protected, and what Google cannot change, would stand in the way of a new one.
        shutil.rmtree(pretended.folder, ignore_errors=True)
        for stack in stacks:
            _deploy(pretended, stack)
        pretended.folder.mkdir(parents=True, exist_ok=True)
        recipe.write_text(wanted, "utf-8")
    return pretended


def prepare() -> None:
    """Both providers where the CLI looks for them: the stand-in under gcp's name, and the real Kubernetes."""
    install(paths.offline() / "home")
    toolchain.ensure_provider(paths.offline() / "home")


def _deploy(pretended: Pretended, stack: str) -> None:
    file = pretended.stack_file(stack)
    text = file.read_text("utf-8")
    project = yaml.safe_load(text)["config"]["tpuserve:target"]["project"]
    files.write(file, text.replace(project, NOBODY))
    chosen = ("--stack", stack)
    progress.run(
        f"Deploy {stack} to the pretended Google Cloud, for the stacks that stand on it",
        [
            *("pulumi", "up", *chosen, "--config-file", file, "--yes", "--skip-preview"),
            *("--non-interactive", "--color=never"),
        ],
        log=f"offline-{stack}",
        env=pretended.environment(),
        cwd=paths.REPOSITORY,
        advice=f"Mend what Pulumi.{stack}.yaml asks for, and run the same command again.",
    )
    state = pretended.pulumi("stack", "export", *chosen, folder=file.parent)
    named = state.replace(NOBODY, project)
    pretended.pulumi("stack", "import", *chosen, folder=file.parent, given=named)
    files.write(file, text)


def _recipe(stacks: list[str]) -> str:
    """Changes with everything that a foundation is made from."""
    files = [paths.REPOSITORY / f"Pulumi.{stack}.yaml" for stack in stacks]
    files.append(paths.REPOSITORY / "requirements" / "program.txt")
    for folder in SOURCES:
        files += sorted((paths.REPOSITORY / folder).rglob("*.py"))
    digest = hashlib.sha256()
    for file in files:
        digest.update(str(file.relative_to(paths.REPOSITORY)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
