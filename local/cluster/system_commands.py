"""Runs the operating system commands that the cluster needs."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tools.support.progress import Refusal

SYSTEM_FOLDERS = ("/usr/sbin", "/sbin")  # a non-login PATH often lacks them


def output(*command: str | Path, given: str = "") -> str:
    """Returns the standard output of a command. Raises Refusal with its standard error when it fails."""
    result = attempt(*command, given=given)
    if result.returncode != 0:
        words = " ".join(str(word) for word in command)
        raise Refusal(f"`{words}` failed (exit {result.returncode}): {result.stderr.strip()}")
    return result.stdout


def attempt(*command: str | Path, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command whose failure the caller handles; `given` is its input. Raises Refusal when the program
    is missing."""
    words: Sequence[str] = [str(word) for word in command]
    try:
        return subprocess.run(
            words,
            capture_output=True,
            text=True,
            check=False,
            input=given,
            env={**os.environ, "PATH": os.pathsep.join((*os.get_exec_path(), *SYSTEM_FOLDERS))},
        )
    except FileNotFoundError:
        raise Refusal(
            f"The program {words[0]!r} is not on this machine: install it (Debian's packages iproute2, "
            "nftables, iptables, mount)."
        ) from None
