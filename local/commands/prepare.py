"""Parts that commands need before they start; missing parts are built in parallel.

Compiling keeps the processors busy, while packages and Python environments mostly wait for the network. So
each missing part is built by a separate process: they overlap, each takes its own locks, and a failed one
ends the others.
"""

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from local import image
from local.commands import policies
from tools import toolchain
from tools.support import paths, subprocesses
from tools.support.progress import Refusal
from tools.toolchain.programs import PROGRAMS, Built


@dataclass(frozen=True)
class Part:
    """One part to prepare. `make` repairs what an interrupted run left and is quick when nothing is
    missing."""

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
"""Parts by name: Go programs, Debian packages, the Kubernetes provider, the policies' Python environment, and
the server's environment, image and model."""


def ensure(*parts: str) -> None:
    """Build the parts, in parallel if one of them is missing. Raises Refusal when one cannot be built."""
    if not any(PARTS[part].missing() for part in parts):
        for part in parts:
            PARTS[part].make()
        return
    commands = [[sys.executable, "-m", "local", "prepare", part] for part in parts]
    if not subprocesses.call_together(commands, cwd=paths.REPOSITORY, stdout=subprocess.DEVNULL):
        raise Refusal("Stopped: follow the message above and run the same command again.")
