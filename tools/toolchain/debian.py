"""Debian packages: installed only where the program is missing, and never started as a service."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.support import progress
from tools.support.progress import Refusal
from tools.toolchain.programs import Packaged

POLICY = Path("/usr/sbin/policy-rc.d")
"""Debian's hook: maintainer scripts start no service while it exits 101 (invoke-rc.d(8))."""
_POLICY_TEXT = "#!/bin/sh\n# Written by tpuserve while it installs packages; safe to delete.\nexit 101\n"
_QUIET = {"DEBIAN_FRONTEND": "noninteractive"}


def install(programs: Sequence[Packaged]) -> None:
    """Install the programs' packages without recommended packages. Raises Refusal."""
    packages = sorted({program.package for program in programs})
    problem = f"{', '.join(sorted({program.name for program in programs}))} not found on PATH"
    command = f"apt-get install --no-install-recommends {' '.join(packages)}"
    if shutil.which("apt-get") is None:
        needs = ", ".join(
            f"{program.name} {'.'.join(map(str, program.oldest))} or newer"
            if program.oldest
            else program.name
            for program in programs
        )
        raise Refusal(
            f"{problem}, and this machine has no apt-get to install it with: install {needs} with the "
            "machine's own package manager and run the same command again."
        )
    if os.geteuid() != 0:
        raise Refusal(
            f"{problem}, and installing it needs root: run `sudo {command}`, or run the same command as root."
        )
    with progress.exclusive("debian-packages"), _no_service_starts():
        # The unit of a package that was installed before is the machine owner's choice.
        services = {p.service for p in programs if p.service and not _installed(p.package)}
        progress.run("Refresh Debian's package lists", ["apt-get", "update"], log="debian", env=_QUIET)
        progress.run(
            f"Install {', '.join(packages)}",
            [*command.split(), "--yes", "-o", "DPkg::Lock::Timeout=300"],
            log="debian",
            env=_QUIET,
            to_its_end=True,  # an interrupted dpkg has to be repaired by hand
            advice="Run the command by hand to see why, fix the cause and run the same command again.",
        )
        for service in sorted(services):
            _disable(service)


@contextlib.contextmanager
def _no_service_starts() -> Iterator[None]:
    """Write `POLICY` during the block, unless the machine has its own."""
    ours = not POLICY.exists() or POLICY.read_text("utf-8") == _POLICY_TEXT
    try:
        if ours:
            POLICY.write_text(_POLICY_TEXT, "utf-8")
            POLICY.chmod(0o755)
        yield
    finally:
        if ours:
            POLICY.unlink(missing_ok=True)


def _installed(package: str) -> bool:
    query = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package],
        capture_output=True,
        text=True,
        check=False,
    )
    return query.stdout == "installed"


def _disable(service: str) -> None:
    """Prevent a unit that this installation added from starting at the next boot."""
    if shutil.which("systemctl") is not None:
        subprocess.run(["systemctl", "--quiet", "disable", service], capture_output=True, check=False)
