"""The whole configuration of a stack, typed.

The models of config/ have every default; Pulumi.yaml declares only keys without one. This module checks types
and ranges; serving/ checks what the values mean for the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Discriminator, Field, PrivateAttr, Tag, ValidationError

from config.acceptance import Acceptance, Rollout
from config.monitoring import Monitoring
from config.strict_model import StrictModel
from config.targets import LocalTarget, Target
from config.traffic.expected import ExpectedLoad
from config.web_origins import WebOrigins
from serving.deploy.image_reference import image_reference
from serving.deploy.record import NAME, Promotion
from serving.engine.phases import DEFAULT_PHASE, named_phase
from serving.hardware.accelerators import DEFAULT_ACCELERATOR
from serving.messages.validation_errors import sentences
from serving.models.catalog import model
from serving.models.checkpoint import checkpoint_spec
from serving.models.spec import ModelSpec
from serving.startup.timeouts import DEFAULT_LONGEST_REQUEST_SECONDS

COMMIT = r"^[0-9a-f]{40}$"


class Checkpoint(StrictModel):
    """Your own weights for a model of the table, such as a fine-tune: the same tensors in bf16.

    Clients name it by its architecture. Its config.json is compared with the table before the weights are
    copied.
    """

    architecture: str = Field(description="The row of the model table whose tensors it has.")
    repository: str = Field(
        pattern=r"^[\w.-]+/[\w.-]+$",
        examples=["your-team/gemma-4-26b-support"],
        description="Its repository on Hugging Face.",
    )
    revision: str = Field(
        pattern=COMMIT,
        examples=["4d7ae4984b7db7de8f8457170b3f1a419ee76d52"],
        description="Commit of that repository.",
    )


def _model_kind(value: object) -> str:
    return "Checkpoint" if isinstance(value, Mapping | Checkpoint) else "str"


Model = Annotated[
    Annotated[str, Tag("str")] | Annotated[Checkpoint, Tag("Checkpoint")], Discriminator(_model_kind)
]


class Settings(StrictModel):
    """One stack. Top-level keys of `Pulumi.<stack>.yaml`, without the `tpuserve:` prefix."""

    target: Target = Field(description="Where the server runs.")
    release: str | None = Field(
        default=None,
        pattern=NAME,
        examples=["4f0c91ab"],
        description="An accepted release of `releases/`, which decides model, slice, engine and image. "
        "`make promote` writes it. Unset: the keys below decide them.",
    )
    model: Model | None = Field(
        default=None,
        description="A row of the model table, or a checkpoint of your own; unset: the model of the phase.",
    )
    model_revision: str | None = Field(
        default=None,
        pattern=COMMIT,
        examples=["4d7ae4984b7db7de8f8457170b3f1a419ee76d52"],
        description="Commit of the model's repository whose weights are served; local: the model made there. "
        "A checkpoint of your own has it in `model.revision`.",
    )
    accelerator: str = Field(default=DEFAULT_ACCELERATOR, description="A slice of the accelerator table.")
    phase: str = Field(
        default=DEFAULT_PHASE, description="Engine preset: baseline, peak, turbo-stable, tuned."
    )
    scenario: str | None = Field(
        default=None,
        description="Overlay of the phase: interactive, batch, multimodal, autoscaling, cost-constrained, "
        "most-tokens.",
    )
    engine: dict[str, object] = Field(default={}, description="Single engine fields over phase and scenario.")
    image: str | None = Field(
        default=None,
        min_length=1,
        description="Server image, with its digest: of Docker Hub, pulled through the foundation's mirror, "
        "or of Artifact Registry. Unset on target local: the one `make up` builds.",
    )
    replicas: int = Field(default=1, ge=1, description="Servers, one slice each.")
    rollout: Rollout = Field(default=Rollout(), description="How a release replaces the one before it.")
    acceptance: Acceptance = Field(
        default=Acceptance(), description="What a server must show before it gets traffic."
    )
    expected_load: ExpectedLoad | None = Field(
        default=None,
        description="The load that the stack is built for. The output `load` compares its committed "
        "simulation with `replicas`; no resource depends on it.",
    )
    longest_request_seconds: int = Field(
        default=DEFAULT_LONGEST_REQUEST_SECONDS,
        ge=1,
        le=3600,
        description="A request may take this long; a stop waits as long for it.",
    )
    authentication: Literal["api-key", "none"] = Field(
        default="api-key", description="Whether clients must send an API key."
    )
    monitoring: Monitoring = Field(
        default=Monitoring(), description="Alerts, objectives, dashboard and budget of the stack."
    )
    allowed_origins: WebOrigins = Field(
        default=(),
        strict=False,
        examples=[["https://chat.example.com"]],
        description="Origins of the web pages that may call the server from a browser. Unset: none.",
    )

    _promotion: Promotion | None = PrivateAttr(default=None)

    @property
    def promotion(self) -> Promotion | None:
        """The release that `release` names; None when the stack file describes the server itself."""
        return self._promotion

    def with_promotion(self, promotion: Promotion) -> Settings:
        """Returns these settings with the values that the release decides, as if the stack file had them."""
        record = promotion.record
        is_row = record.repository == model(record.model).hf_repo
        weights: dict[str, object] = {"model": record.model, "model_revision": record.revision}
        if not is_row:
            assert record.revision is not None
            checkpoint = Checkpoint(
                architecture=record.model, repository=record.repository, revision=record.revision
            )
            weights = {"model": checkpoint}
        promoted = self.model_copy(
            update={
                **weights,
                "accelerator": record.accelerator,
                "engine": dict(record.engine),
                "image": record.image,
                "longest_request_seconds": record.longest_request_seconds,
            }
        )
        promoted._promotion = promotion
        return promoted

    @property
    def model_spec(self) -> ModelSpec:
        """The model of this stack with the commit of its weights.

        Raises ValueError for a model or a phase that does not exist, and for a checkpoint that cannot be
        staged.
        """
        if not isinstance(self.model, Checkpoint):
            row = model(self.model or named_phase(self.phase).model)
            return row if self.model_revision is None else replace(row, revision=self.model_revision)
        if isinstance(self.target, LocalTarget):
            raise ValueError(
                f"model.repository is {self.model.repository} and target.kind is local, where nothing "
                "copies weights from a repository; set model to a row of the model table."
            )
        if self.model_revision is not None:
            raise ValueError("model_revision is set beside model.revision; remove model_revision.")
        return checkpoint_spec(self.model.architecture, self.model.repository, self.model.revision)

    @property
    def image_name(self) -> str | None:
        """The image in its one spelling, so that docker.io/NAME and NAME are the same release."""
        return None if self.image is None else image_reference(self.image).name

    @staticmethod
    def parse(config: Mapping[str, object]) -> Settings:
        """Returns the settings of a plain mapping. Raises ValueError, one sentence per line, for every
        mistake."""
        try:
            return Settings.model_validate(config)
        except ValidationError as error:
            raise ValueError("\n".join(sentences(error, "", Settings))) from None
