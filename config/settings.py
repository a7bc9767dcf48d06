"""The whole configuration of a stack, typed.

The models of config/ have every default; Pulumi.yaml declares only keys without one. This module checks types
and ranges; serving/ checks what the values mean for the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, ValidationError

from config.strict_model import StrictModel
from config.targets import Target
from serving.engine.phases import DEFAULT_PHASE, named_phase
from serving.hardware.accelerators import DEFAULT_ACCELERATOR
from serving.messages.validation_errors import sentences
from serving.startup.timeouts import DEFAULT_LONGEST_REQUEST_SECONDS


class Settings(StrictModel):
    """One stack. Top-level keys of `Pulumi.<stack>.yaml`, without the `tpuserve:` prefix."""

    target: Target = Field(description="Where the server runs.")
    model: str | None = Field(
        default=None, description="A row of the model table; unset: the model of the phase."
    )
    model_revision: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{40}$",
        examples=["4d7ae4984b7db7de8f8457170b3f1a419ee76d52"],
        description="Commit of the model's repository whose weights are served; local: the model made there.",
    )
    accelerator: str = Field(default=DEFAULT_ACCELERATOR, description="A slice of the accelerator table.")
    phase: str = Field(
        default=DEFAULT_PHASE, description="Engine preset: baseline, peak, turbo-stable, tuned."
    )
    scenario: str | None = Field(default=None, description="Overlay of the decision matrix over the phase.")
    engine: dict[str, object] = Field(default={}, description="Single engine fields over phase and scenario.")
    image: str | None = Field(
        default=None,
        min_length=1,
        description="Server image; unset on target local: the one `make up` builds.",
    )
    replicas: int = Field(default=1, ge=1, description="Servers, one slice each.")
    longest_request_seconds: int = Field(
        default=DEFAULT_LONGEST_REQUEST_SECONDS,
        ge=1,
        le=3600,
        description="A request may take this long; a stop waits as long for it.",
    )
    authentication: Literal["api-key", "none"] = Field(
        default="api-key", description="Whether clients must send an API key."
    )

    @property
    def model_name(self) -> str:
        """Name of the stack's model, or else the phase's. Raises ValueError for an unknown phase."""
        return self.model or named_phase(self.phase).model

    @staticmethod
    def parse(config: Mapping[str, object]) -> Settings:
        """Returns the settings of a plain mapping. Raises ValueError, one sentence per line, for every
        mistake."""
        try:
            return Settings.model_validate(config)
        except ValidationError as error:
            raise ValueError("\n".join(sentences(error, "", Settings))) from None
