"""Record of a release: everything that decides what a server is, in a form that outlives phases and agents.

The program writes the static part into the settings of the server's sidecar. The sidecar adds the archive of
the compile cache and the verdict of the acceptance, and puts the record into the artifact bucket. `make
promote` copies it into the repository, and a stack with `release` runs the server that its record describes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from serving.compilation.candidate import Candidate
from serving.deploy.release import EVERY_ADDRESS, Release, weights_name
from serving.engine.config import EngineConfig
from serving.engine.config import parse as parse_engine
from serving.engine.layers import plain
from serving.hardware.accelerators import accelerator
from serving.models.catalog import model
from serving.models.spec import ModelSpec

NAME = r"^[0-9a-f]{8}$"
"""Form of a release's name (`Release.name`)."""

SHA256 = r"^[0-9a-f]{64}$"

ACCEPTED = "accepted"
"""State of a verdict with which a server gets traffic (agent/sidecar)."""

READY_TIMEOUT = "VLLM_ENGINE_READY_TIMEOUT_S"

# Unknown names are allowed: a later version may record more, and what it adds decides nothing here.
_FROZEN = ConfigDict(frozen=True, extra="ignore", strict=True)


class Archive(BaseModel):
    """Archive of the compile cache that the accepted server published."""

    model_config = _FROZEN

    name: str
    """Name of its object in the artifact bucket."""
    sha256: str = Field(pattern=SHA256)


class Verdict(BaseModel):
    """Verdict of the acceptance."""

    model_config = _FROZEN

    state: str
    sentence: str
    checks: tuple[dict[str, Any], ...] = Field(default=(), strict=False)
    ladder: tuple[dict[str, Any], ...] = Field(default=(), strict=False)
    """Latencies and throughput at each number of concurrent requests."""


class Record(BaseModel):
    """A record as it is in the artifact bucket and in `releases/`."""

    model_config = _FROZEN

    release: str = Field(pattern=NAME)
    image: str
    model: str
    """Row of the model table."""
    repository: str
    """Repository of the weights, which is not the row's for a checkpoint of the user."""
    revision: str | None
    accelerator: str
    argv: Annotated[tuple[str, ...], Field(strict=False)]
    environment: dict[str, str]
    agent: str = Field(pattern=SHA256)
    """Digest of the agent's files."""
    fingerprint: str
    proof: str | None
    commit: str | None
    """Commit of this repository from which the release was deployed."""
    phase: str | None
    scenario: str | None
    engine: dict[str, Any]
    """Fields of EngineConfig with their resolved values."""
    longest_request_seconds: int = Field(gt=0)
    archive: Archive | None = None
    accepted: float | None = None
    """Unix time of the acceptance."""
    verdict: Verdict | None = None

    @property
    def is_accepted(self) -> bool:
        """True when a server of this release has passed its acceptance."""
        return self.accepted is not None and self.verdict is not None and self.verdict.state == ACCEPTED

    @property
    def server(self) -> Release:
        """The release itself, with the recorded command line and environment."""
        address = self.argv.index("--host")
        return Release(
            image=self.image,
            model=weights_name(self.model, self.revision),
            accelerator=self.accelerator,
            engine_argv=self.argv[:address],
            workload_argv=self.argv[address + 2 :],
            environment=tuple(sorted(self.environment.items())),
            agent_digest=self.agent,
        )

    @property
    def spec(self) -> ModelSpec:
        """The model with the recorded weights. Raises ValueError for a model that left the table."""
        return replace(model(self.model), hf_repo=self.repository, revision=self.revision)

    @property
    def candidate(self) -> Candidate:
        """The engine on its slice, without a proof, for memory, timeouts and the fingerprint.

        Raises ValueError for a model, a slice or an engine that this version does not know.
        """
        engine = parse_engine(self.engine, f"release {self.release}: engine")
        return Candidate(accelerator(self.accelerator), self.spec, engine)

    @property
    def ready_timeout_seconds(self) -> int:
        """Seconds that the engine may take to start, by its recorded environment."""
        return int(self.environment[READY_TIMEOUT])


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """A record with the agent's files of its release: all that a stack needs to run it."""

    record: Record
    agent_files: Mapping[str, str]
    """Text of each file by its path below the agent's folder."""


def static_record(
    release: Release,
    candidate: Candidate,
    *,
    fingerprint: str,
    longest_request_seconds: int,
) -> dict[str, object]:
    """Returns the record's part that is known before a server runs, without the commit."""
    spec, layers = candidate.model, candidate.layers
    return {
        "release": release.name,
        "image": release.image,
        "model": spec.name,
        "repository": spec.hf_repo,
        "revision": spec.revision,
        "accelerator": release.accelerator,
        "argv": list(release.argv(EVERY_ADDRESS)),
        "environment": dict(release.environment),
        "agent": release.agent_digest,
        "fingerprint": fingerprint,
        "proof": candidate.proof.source if candidate.proof else None,
        "phase": layers.phase,
        "scenario": layers.scenario,
        "engine": engine_fields(candidate.engine),
        "longest_request_seconds": longest_request_seconds,
    }


def engine_fields(engine: EngineConfig) -> dict[str, object]:
    """Returns the engine's fields as JSON values from which `parse` of serving.engine.config makes it again.

    A field that nobody set is there with its default, which a later version may change.
    """
    return {
        name: plain(value)
        for name, value in engine
        if name in engine.model_fields_set or value not in (None, {})
    }


def parse(text: str | bytes, where: str) -> Record:
    """Returns the record in a JSON text.

    `where` names the file or object. Raises ValueError, one sentence on each line, for what is no record, and
    for one whose content has another name than it says.
    """
    try:
        record = Record.model_validate_json(text)
    except ValidationError as error:
        raise ValueError("\n".join(_defect(details, where) for details in error.errors())) from None
    if " ".join(record.argv).count(f"--host {EVERY_ADDRESS}") != 1:
        raise ValueError(f"{where} has no argv with one --host {EVERY_ADDRESS}; {_RESTORE}.")
    if not record.environment.get(READY_TIMEOUT, "").isdigit():
        raise ValueError(f"{where} has no number of seconds in environment.{READY_TIMEOUT}; {_RESTORE}.")
    if record.server.name != record.release:
        raise ValueError(
            f"{where} says that it is release {record.release}, and its content is release "
            f"{record.server.name}: it was changed after it was written; {_RESTORE}."
        )
    return record


_RESTORE = "take it from the artifact bucket or from git again, or name another release"


def _defect(details: ErrorDetails, where: str) -> str:
    path = ".".join(str(part) for part in details["loc"])
    if not path:
        return f"{where} is not JSON; {_RESTORE}."
    if details["type"] == "missing":
        return f"{where} has no {path}, so it is no record of a release; {_RESTORE}."
    message = details["msg"].removeprefix("Input ")
    return f"{where} has a wrong {path}, which {message}; {_RESTORE}."
