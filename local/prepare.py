"""What commands need before they start, made side by side where it is missing.

Compiling keeps the processors busy, packages and Python environments mostly wait for the network. So each
missing part is made by a process of its own: they overlap, each takes its own locks, and a failed one ends
the others.
"""

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from local import children, image, paths, policies, toolchain
from local.progress import Refusal
from local.toolchain.programs import PROGRAMS, Built


@dataclass(frozen=True)
class Part:
    """One thing to prepare. `make` repairs what an interrupted run left and is quick when all is there."""

    missing: Callable[[], bool]
    make: Callable[[], object]


def _toolchain(*names: str) -> Part:
    return Part(lambda: bool(toolchain.missing(*names)), lambda: toolchain.ensure(*names))


def _of_kind(*, built: bool) -> list[str]:
    return [name for name in toolchain.EVERYTHING if isinstance(PROGRAMS[name], Built) is built]


def _server_missing() -> bool:
    return not (image.environment().is_dir() and image.archive().is_file())


def _server() -> None:
    image.ensure_image()
    image.ensure_model()


PARTS: Mapping[str, Part] = {
    "programs": _toolchain(*_of_kind(built=True)),
    "packages": _toolchain(*_of_kind(built=False)),
    "provider": _toolchain("provider-kubernetes"),
    "policies": Part(policies.missing, policies.ensure),
    "server": Part(_server_missing, _server),
}
"""Go programs, Debian packages, the Kubernetes provider, the policies' Python environment, and the server's
environment, image and model."""


def ensure(*parts: str) -> None:
    """Make the parts, side by side if one of them is missing. Raises Refusal when one cannot be made."""
    if not any(PARTS[part].missing() for part in parts):
        for part in parts:
            PARTS[part].make()
        return
    commands = [[sys.executable, "-m", "local", "prepare", part] for part in parts]
    if not children.call_together(commands, cwd=paths.REPOSITORY, stdout=subprocess.DEVNULL):
        raise Refusal("Stopped: do what the sentence above says and run the same command again.")
