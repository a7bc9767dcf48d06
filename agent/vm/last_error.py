"""Why the server ended, in its own words."""

import re
import subprocess

# Docker's refusals, and a traceback's last line, without the prefix that vLLM's processes give their lines.
_CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
"""What Compose writes for terminals even where there is none."""
_ERROR = re.compile(r"Error response from daemon: .+|(?:\w+\.)*\w*(?:Error|Exception)\b: .+")


def complaint(unit: str) -> str:
    """The last error that `unit` printed, cut to a readable length."""
    found = _ERROR.findall(_CONTROL.sub("", printed(unit, 400)))
    return found[-1][:300] if found else f"it gave no reason that is known; see journalctl -u {unit}"


def printed(unit: str, lines: int) -> str:
    """The last lines of `unit` in the journal."""
    command = ["journalctl", "--unit", unit, "--output", "cat", "--lines", str(lines), "--no-pager"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
