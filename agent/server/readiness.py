"""Answer to `GET /ready`: this server has been accepted, as the sidecar's verdict file says.

`TPUSERVE_VERDICT_FILE` names the file that `agent.sidecar` writes. Without the variable every healthy server
is ready, which is for machines that are run by hand.
"""

import json
import os
from pathlib import Path

from agent.server.request_fields import is_object

VERDICT_FILE_VARIABLE = "TPUSERVE_VERDICT_FILE"


class Readiness:
    """Verdict on this server. A verdict from before its start was on another process, so it is deleted."""

    def __init__(self, verdict_file: Path | None) -> None:
        self._file = verdict_file
        self._not_deleted: str | None = None
        if verdict_file is not None:
            try:
                verdict_file.unlink(missing_ok=True)
            except OSError as problem:
                self._not_deleted = (
                    f"This server cannot delete the verdict of its predecessor, {verdict_file} "
                    f"({problem.strerror}), so it gets no traffic; make the folder writable and restart it."
                )

    def objection(self) -> str | None:
        """Returns why the server may not get traffic yet, as one sentence; None when it has been accepted."""
        if self._file is None or self._not_deleted is not None:
            return self._not_deleted
        try:
            verdict = json.loads(self._file.read_bytes())
        except FileNotFoundError:
            return "This server has not been accepted: its acceptance has not begun."
        except (OSError, ValueError) as problem:
            return f"This server has not been accepted: {self._file} cannot be read ({problem})."
        state, sentence = (
            verdict.get(name) if is_object(verdict) else None for name in ("state", "sentence")
        )
        if state == "accepted":
            return None
        if isinstance(state, str) and isinstance(sentence, str):
            return f"This server has not been accepted: {sentence}"
        return f"This server has not been accepted: {self._file} has no state and sentence."


def from_environment() -> Readiness:
    """Returns the readiness of this process; a verdict from before its start is deleted."""
    path = os.environ.get(VERDICT_FILE_VARIABLE)
    return Readiness(Path(path) if path else None)
