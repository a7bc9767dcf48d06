"""Installation of the fake cloud where the CLI looks for the gcp provider."""

import os
import shlex
import sys
from pathlib import Path

from tools.fake_gcp.schema import sdk

REPOSITORY = Path(__file__).resolve().parent.parent.parent

LAUNCHER = """#!/bin/sh
PYTHONPATH={repository} exec {python} -m {module} "$@"
"""


def install(pulumi_home: Path) -> Path:
    """Install for a PULUMI_HOME, under exactly the version that the Python SDK requests; returns the
    folder."""
    folder = pulumi_home / "plugins" / f"resource-gcp-v{sdk.version()}"
    launcher(folder / "pulumi-resource-gcp", "tools.fake_gcp")
    return folder


def install_auth(folder: Path) -> Path:
    """Write a `gke-gcloud-auth-plugin` for the fake cluster into a folder that goes on PATH."""
    launcher(folder / "gke-gcloud-auth-plugin", "tools.fake_gcp.auth")
    return folder


def launcher(program: Path, module: str) -> None:
    """Write a program that runs this clone's code with the present Python, whatever PATH is."""
    program.parent.mkdir(parents=True, exist_ok=True)
    text = LAUNCHER.format(
        repository=shlex.quote(str(REPOSITORY)), python=shlex.quote(sys.executable), module=module
    )
    draft = program.with_name(f"{program.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.chmod(0o755)
    draft.replace(program)
