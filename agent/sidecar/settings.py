"""Settings of the sidecar: the JSON file that the deployment writes. Every key is required: no value has a
default here.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from agent.server.request_rules import DRAFTS_VARIABLE

CheckName = Literal[
    "chat",
    "stream",
    "tool_call",
    "json_schema",
    "image",
    "longest_prompt",
    "many_at_once",
    "prompts",
    "ladder",
    "compiled",
    "cache_misses",
    "hbm",
]
"""Checks in the order in which they run. The last three look at what the requests before them left behind."""

CHECK_NAMES: tuple[CheckName, ...] = get_args(CheckName)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Record(_Part):
    """Description of the release, written into the bucket as it is; further keys are allowed."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    release: str = Field(min_length=1)
    image: str
    model: str
    revision: str | None
    accelerator: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    agent: str
    """Digest of the agent's files (agent/agent_files.py)."""
    fingerprint: str

    @property
    def drafts(self) -> bool:
        """Returns whether the engine drafts tokens, so that the guard refuses constrained answers."""
        return self.environment.get(DRAFTS_VARIABLE) == "1"

    @property
    def calls_tools(self) -> bool:
        """Returns whether the server parses tool calls."""
        return "--enable-auto-tool-choice" in self.argv

    @property
    def prepares_images(self) -> bool:
        """Returns whether the warm-up compiles the vision tower.

        The fields are those of `--compilation-config` (vllm/config/compilation.py).
        """
        return "encoder_cudagraph" in " ".join(self.argv)

    def number(self, flag: str) -> float | None:
        """Returns the value of a numeric flag of the server; None when the flag is not set."""
        words = dict(zip(self.argv, self.argv[1:], strict=False))
        return float(words[flag]) if flag in words else None


class Server(_Part):
    """Limits of the server. `model` is the name that requests use, `max_model_len` is in tokens."""

    model: str
    max_model_len: int = Field(ge=64)
    max_num_seqs: int = Field(gt=0)
    images: bool


class Prompt(_Part):
    """The operator's own prompt, and the words that its answer must have in any case."""

    prompt: str = Field(min_length=1)
    expect: tuple[str, ...] = Field(min_length=1)


class Limits(_Part):
    """Limits of a cell's medians in milliseconds; None is no limit."""

    time_to_first_token_ms: float | None = Field(gt=0)
    time_between_tokens_ms: float | None = Field(gt=0)


class Ladder(_Part):
    """Numbers of simultaneous requests, and the tokens of each."""

    concurrency: tuple[Annotated[int, Field(gt=0)], ...] = Field(min_length=1)
    prompt_tokens: int = Field(gt=0)
    output_tokens: int = Field(ge=2, description="Two at least: the time between tokens needs a second one.")


class Acceptance(_Part):
    """Extent of the acceptance. `tolerance` is the share by which a median may be above the baseline."""

    off: tuple[CheckName, ...]
    prompts: tuple[Prompt, ...]
    limits: Limits
    ladder: Ladder
    tolerance: float = Field(ge=0)
    deadline_seconds: float = Field(gt=0)


class Store(_Part):
    """Names in the bucket: archives of the compile cache, the slice's baseline, the release's record and its
    agent's files."""

    bucket: str
    archive: str
    sha256: str | None
    baked: str | None
    publish: bool
    baseline: str
    record: str
    agent: str


class Settings(_Part):
    """All settings; the folders are those of the container in which the sidecar runs."""

    record: Record
    server: Server
    acceptance: Acceptance
    store: Store | None
    cache_folder: Path
    status_folder: Path
    api_key_file: Path | None
    api_key_secret: str | None = Field(pattern=r"^projects/[^/]+/secrets/[^/]+$")
    """Secret Manager's secret with the API key; None where the key is not in one."""

    @property
    def verdict_file(self) -> Path:
        """Returns the file that the guard's `/ready` reads."""
        return self.status_folder / "acceptance.json"

    @property
    def cache_events_file(self) -> Path:
        """Returns the file in which the engine counts compilations (agent/server/compile_cache_events.py)."""
        return self.status_folder / "cache-events.json"

    @property
    def cache_restore_file(self) -> Path:
        """Returns the file with the result of the cache's restoration before the server's start."""
        return self.status_folder / "cache-restore.json"

    @property
    def cache_publish_file(self) -> Path:
        """Returns the file with the result of the cache's publication."""
        return self.status_folder / "cache-publish.json"

    @property
    def at_once(self) -> int:
        """Returns how many requests the server takes at the same time without refusing one."""
        held = self.record.number("--max-num-queued-reqs")
        return self.server.max_num_seqs if held is None else min(self.server.max_num_seqs, int(held))


class SettingsProblem(Exception):
    """Mistake in the file. The text has one sentence a line."""


def read(file: Path) -> Settings:
    """Returns the settings in `file`. Raises SettingsProblem."""
    try:
        return Settings.model_validate_json(file.read_bytes())
    except OSError as problem:
        raise SettingsProblem(
            f"{file} cannot be read ({problem.strerror}); name the settings of the sidecar by --settings."
        ) from None
    except ValidationError as problem:
        raise SettingsProblem(
            "\n".join(f"{file}: {_sentence(details)}" for details in problem.errors())
        ) from None


def _sentence(details: ErrorDetails) -> str:
    path = ".".join(map(str, details["loc"])) or "the file"
    kind, reason = details["type"], details["msg"]
    if kind == "json_invalid":
        return f"the file is not valid JSON ({reason.removeprefix('Invalid JSON: ')}); correct it."
    if kind == "missing":
        return f"{path} is missing; set it."
    if kind == "extra_forbidden":
        return f"{path} is not a name here; remove it."
    given = json.dumps(details["input"])[:80]
    return f"{path} is {given}; {reason[0].lower()}{reason[1:]}; correct it."
