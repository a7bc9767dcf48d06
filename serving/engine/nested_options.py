"""Parts of the engine that are JSON objects on vLLM's command line."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_serializer, model_validator

STRICT = ConfigDict(frozen=True, extra="forbid", strict=True)

DRAFT_MODEL_METHODS = ("mtp", "eagle", "eagle3", "dflash", "draft_model")
"""Methods of vLLM 0.32 that load a second model (vllm/config/speculative.py, `SpeculativeMethod`)."""


class Speculative(BaseModel):
    """--speculative-config: drafting from the prompt, which needs no second model.

    tpu-inference 0.32 also implements methods with a draft model (runner/tpu_runner.py,
    `_init_speculative_decoding`), Gemma 4's assistant among them (models/jax/gemma4_mtp.py). They are
    refused: no stack stages a draft model, its weights and KV cache are not counted (the assistant of E2B
    took 0.11 GiB in the one public boot), and no proof can hold its programs, because the drafter compares
    values of both embeddings while it loads (spec_decode/jax/eagle3.py, `load_model`) and a proof has no
    weights.
    """

    model_config = STRICT

    method: Literal["ngram"] = Field(description="ngram drafts what followed the same tokens before.")
    num_speculative_tokens: int = Field(gt=0, le=16, description="Tokens drafted for each request and step.")
    prompt_lookup_min: int | None = Field(None, ge=1, description="Shortest repeat that ngram looks for.")
    prompt_lookup_max: int | None = Field(None, ge=1, description="Longest repeat that ngram looks for.")

    @model_validator(mode="before")
    @classmethod
    def _without_a_draft_model(cls, given: object) -> object:
        names: Mapping[str, object] = {}
        if isinstance(given, Mapping):
            names = cast(Mapping[str, object], given)
        if names.get("method") in DRAFT_MODEL_METHODS or "model" in names:
            raise ValueError(
                "drafting with a draft model is not offered, because no stack stages one, its weights and KV "
                "cache are not in the memory table, and its programs are not proven; set method to ngram and "
                "remove model, or remove speculative"
            )
        return cast(object, given)

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        low, high = self.prompt_lookup_min, self.prompt_lookup_max
        if (low is None) != (high is None):
            raise ValueError("set both prompt_lookup_min and prompt_lookup_max, or neither")
        if low is not None and high is not None and low > high:
            raise ValueError(f"prompt_lookup_min {low} is above prompt_lookup_max {high}; swap them")
        return self


class MultimodalLimits(BaseModel):
    """--limit-mm-per-prompt: items of each kind that one request may carry.

    Unlike vLLM, where a kind that is not named is allowed 999 times, a kind not named here is refused.
    """

    model_config = STRICT

    image: int = Field(0, ge=0, le=64, description="Images in a request.")
    video: int = Field(
        0, ge=0, le=64, description="Videos in a request; the TPU runtime has no path for them."
    )
    audio: int = Field(
        0, ge=0, le=64, description="Clips in a request; the TPU runtime loads no audio tower."
    )


class VisionPrograms(BaseModel):
    """--compilation-config: one vision program a budget, compiled at boot and reused for every image.

    A budget is the soft tokens of the images that one call encodes together, at most `images_per_call`;
    an image is up to `ModelSpec.tokens_per_image`. (tpu_inference/runner/mm_encoder_jit_manager.py)
    """

    model_config = STRICT

    token_budgets: tuple[Annotated[int, Field(gt=0)], ...] = Field(
        strict=False, description="Soft tokens that one call encodes, one program each."
    )
    images_per_call: int = Field(gt=0, le=64, description="Images that one call encodes at most.")

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if not self.token_budgets:
            raise ValueError("token_budgets is empty; write at least one, or remove vision_programs")
        smallest = min(self.token_budgets)
        if smallest < self.images_per_call:
            raise ValueError(
                f"images_per_call {self.images_per_call} is above the smallest token budget {smallest}; "
                f"lower it"
            )
        return self

    @model_serializer
    def _as_vllm_names_it(self) -> dict[str, object]:
        return {
            "cudagraph_mm_encoder": True,
            "encoder_cudagraph_token_budgets": list(self.token_budgets),
            "encoder_cudagraph_max_vision_items_per_batch": self.images_per_call,
        }


class ChatTemplateKwargs(BaseModel):
    """--default-chat-template-kwargs: variables of Gemma 4's chat template, where a request sets none."""

    model_config = STRICT

    enable_thinking: bool = Field(description="The model thinks before it answers.")


class GenerationDefaults(BaseModel):
    """--override-generation-config: sampling of a request that does not set it.

    vLLM takes eight keys (vllm/config/model.py, `get_diff_sampling_param`). The TPU sampler carries these
    three, and the scheduler the number of tokens (tpu_inference/layers/jax/sample/sampling_metadata.py).
    """

    model_config = STRICT

    temperature: float | None = Field(None, ge=0, le=2, description="0 takes the likeliest token.")
    top_k: int | None = Field(None, ge=1, le=262_144, description="Likeliest tokens that are sampled from.")
    top_p: float | None = Field(None, gt=0, le=1, description="Share of likelihood that is sampled from.")
    max_new_tokens: int | None = Field(None, ge=1, le=262_144, description="Tokens of an answer at most.")

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise ValueError(
                "it sets nothing; write at least one value, or remove override_generation_config"
            )
        return self


QwixType = Literal["float8_e4m3fn", "float8_e5m2", "int8", "int4"]


class QwixRule(BaseModel):
    """One rule of --additional-config's quantization.qwix: weights that Qwix quantizes while it loads them.

    A key here is one of `qwix.QuantizationRule` (qwix 0.1.2); the first rule that matches a module holds.
    """

    model_config = STRICT

    module_path: str = Field(min_length=1, description="Regular expression of the modules' paths.")
    weight_qtype: QwixType = Field(description="Type of the weights.")
    act_qtype: QwixType | None = Field(None, description="Type of the activations; unset leaves them.")
    tile_size: int | None = Field(None, gt=0, description="Weights that share one scale.")

    @field_validator("module_path")
    @classmethod
    def _expression(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"{value!r} is not a regular expression ({error}); correct it") from None
        return value
