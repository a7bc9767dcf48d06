"""Debian packages: installed only where the program is missing, and never as a running service."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from local import progress
from local.progress import Refusal
from local.toolchain.programs import Packaged

POLICY = Path("/usr/sbin/policy-rc.d")
"""Debian's own hook: maintainer scripts start no service while it exits 101 (invoke-rc.d(8))."""
_POLICY_TEXT = "#!/bin/sh\n# Laid by tpuserve while it installs packages; safe to delete.\nexit 101\n"
_QUIET = {"DEBIAN_FRONTEND": "noninteractive"}


def install(programs: Sequence[Packaged]) -> None:
    """Install the programs' packages without what they merely recommend. Raises Refusal."""
    packages = sorted({program.package for program in programs})
    wish = f"{', '.join(sorted({program.name for program in programs}))} not found on PATH"
    command = f"apt-get install --no-install-recommends {' '.join(packages)}"
    if shutil.which("apt-get") is None:
        needs = ", ".join(
            f"{program.name} {'.'.join(map(str, program.oldest))} or newer"
            if program.oldest
            else program.name
            for program in programs
        )
        raise Refusal(
            f"{wish}, and this machine has no apt-get to install it with: "
            f"install {needs} with the machine's own package manager and run the same command again."
        )
    if os.geteuid() != 0:
        raise Refusal(
            f"{wish}, and installing it needs root: run `sudo {command}`, or run the same command as root."
        )
    with progress.exclusive("debian-packages"), _no_service_starts():
        # Of a package that was there before, the unit is the machine owner's business.
        services = {p.service for p in programs if p.service and not _installed(p.package)}
        progress.run("Refresh Debian's package lists", ["apt-get", "update"], log="debian", env=_QUIET)
        progress.run(
            f"Install {', '.join(packages)}",
            [*command.split(), "--yes", "-o", "DPkg::Lock::Timeout=300"],
            log="debian",
            env=_QUIET,
            to_its_end=True,  # a dpkg that is broken off has to be mended by hand
            advice="Run the command by hand to see why, mend it and run the same command again.",
        )
        for service in sorted(services):
            _disable(service)


@contextlib.contextmanager
def _no_service_starts() -> Iterator[None]:
    """Lay `POLICY` for the time being, unless the machine has its own."""
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
    asked = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout == "installed"


def _disable(service: str) -> None:
    """Keep a unit that this installation brought from starting at the next boot."""
    if shutil.which("systemctl") is not None:
        subprocess.run(["systemctl", "--quiet", "disable", service], capture_output=True, check=False)
