"""Verdict on a server: JSON for the guard's `/ready`, for `/acceptance` and for the release's record."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.sidecar.settings import CheckName
from agent.store import atomic_file

State = Literal["waiting", "running", "accepted", "rejected"]
STATES: tuple[State, ...] = ("waiting", "running", "accepted", "rejected")

Result = Literal["passed", "failed", "warning", "off", "skipped"]
"""`off`: the operator switched the check off. `skipped`: this server cannot have it, or time had run out."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class CheckResult(_Part):
    """Result of one check, with its sentence and its duration."""

    name: CheckName
    result: Result
    sentence: str
    seconds: float


class Percentiles(_Part):
    """Median and 95th percentile over the requests of a cell."""

    p50: float
    p95: float


class Cell(_Part):
    """Measurement at one number of simultaneous requests.

    The time between tokens is a request's mean after its first token: a chunk may carry several tokens. Both
    times are null when no request succeeded.
    """

    concurrency: int
    prompt_tokens: int
    output_tokens: int
    requests: int
    failures: int
    time_to_first_token_ms: Percentiles | None
    time_between_tokens_ms: Percentiles | None
    output_tokens_per_second: float


class Baseline(_Part):
    """First accepted measurement of a model on a slice. `accepted` is a Unix time."""

    release: str
    accepted: float
    ladder: tuple[Cell, ...]


class Verdict(_Part):
    """Verdict on one server process. `baseline` names the object that the ladder was compared with."""

    release: str
    state: State
    sentence: str
    finished: float | None = None
    checks: tuple[CheckResult, ...] = ()
    ladder: tuple[Cell, ...] = ()
    baseline: str | None = None


class ServerRestarted(Exception):
    """The server's guard has deleted the verdict, because another process serves now."""


class VerdictFile:
    """File of the verdict. A guard deletes it when its server starts."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def exists(self) -> bool:
        """Returns whether there is a verdict on the running server process."""
        return self._file.exists()

    def read(self) -> Verdict | None:
        """Returns the verdict; None when there is none, or when it cannot be read."""
        try:
            return Verdict.model_validate_json(self._file.read_bytes())
        except (OSError, ValidationError):
            return None

    def begin(self, verdict: Verdict) -> None:
        """Writes the first verdict on a server process. Raises OSError."""
        atomic_file.write(self._file, verdict.model_dump_json() + "\n")

    def update(self, verdict: Verdict) -> None:
        """Writes a later verdict on the same server process. Raises ServerRestarted and OSError."""
        if not self._file.exists():
            raise ServerRestarted
        self.begin(verdict)
