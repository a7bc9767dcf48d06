"""Put the stand-in where the CLI looks for the gcp provider."""

import os
import shlex
import sys
from pathlib import Path

from tests.standin import sdk

REPOSITORY = Path(__file__).resolve().parent.parent.parent

LAUNCHER = """#!/bin/sh
PYTHONPATH={repository} exec {python} -m tests.standin "$@"
"""


def install(pulumi_home: Path) -> Path:
    """Install for a PULUMI_HOME, under the very version that the Python SDK asks for; returns the folder.

    The launcher runs this clone's code with the Python that runs now, so that it needs nothing on PATH.
    """
    folder = pulumi_home / "plugins" / f"resource-gcp-v{sdk.version()}"
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "pulumi-resource-gcp"
    draft = folder / f"{program.name}.{os.getpid()}"
    draft.write_text(
        LAUNCHER.format(repository=shlex.quote(str(REPOSITORY)), python=shlex.quote(sys.executable)),
        encoding="utf-8",
    )
    draft.chmod(0o755)
    draft.replace(program)
    return folder
