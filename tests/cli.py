"""Command-line programs in tests: no terminal, no input, both outputs as one text."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools import toolchain

SECONDS = 900
"""Bounds a failure; a busy machine takes its time."""

SOMEBODYS_OWN = ("PULUMI_", "GOOGLE_", "CLOUDSDK_", "KUBECONFIG")
"""Prefixes of variables that would lead a CLI to stacks, credentials and clusters of the user."""


def run(words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    """Exit code, and stdout and stderr together."""
    done = subprocess.run(
        words,
        cwd=folder,
        env={**environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return done.returncode, done.stdout


def neutral() -> dict[str, str]:
    """This process's environment without what somebody has set for work of their own."""
    return {name: value for name, value in os.environ.items() if not name.startswith(SOMEBODYS_OWN)}


def apart(folder: Path) -> dict[str, str]:
    """The environment of a Pulumi CLI whose home and backend are in `folder`, out of the user's way."""
    return {
        **neutral(),
        **toolchain.pulumi_environment(),
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_BACKEND_URL": f"file://{folder / 'backend'}",
    }
