"""The last error in the server's log."""

import re
import subprocess

# Docker's refusals, and a traceback's last line, without the prefix that vLLM's processes give their lines.
_CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
"""Control sequences that Compose writes even without a terminal."""
_ERROR = re.compile(r"Error response from daemon: .+|(?:\w+\.)*\w*(?:Error|Exception)\b: .+")


def complaint(unit: str) -> str:
    """Returns the last error that `unit` printed, cut to a readable length."""
    errors = _ERROR.findall(_CONTROL.sub("", printed(unit, 400)))
    return errors[-1][:300] if errors else f"it gave no reason that is known; see journalctl -u {unit}"


def printed(unit: str, lines: int) -> str:
    """Returns the last lines of `unit` in the journal."""
    command = ["journalctl", "--unit", unit, "--output", "cat", "--lines", str(lines), "--no-pager"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
