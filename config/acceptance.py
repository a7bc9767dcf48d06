"""Settings of a release: the acceptance of each server, and how a new release replaces the old one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from config.strict_model import StrictModel
from serving.deploy.acceptance_checks import Check
from serving.engine.config import EngineConfig

Milliseconds = Annotated[float, Field(gt=0)]


class Prompt(StrictModel):
    """A prompt of your own, and the words that its answer must have."""

    prompt: str = Field(min_length=1, examples=["What is the capital of France?"])
    expect: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        min_length=1,
        strict=False,
        examples=[["Paris"]],
        description="Words that the answer must have, in any case.",
    )


class Limits(StrictModel):
    """Longest median times that a server may have at any concurrency of the ladder."""

    time_to_first_token_ms: Milliseconds | None = Field(
        default=None, description="Milliseconds from a request to its first token; unset: no limit."
    )
    time_between_tokens_ms: Milliseconds | None = Field(
        default=None, description="Milliseconds from one token to the next; unset: no limit."
    )


class Ladder(StrictModel):
    """The short measurement at the end of an acceptance."""

    concurrency: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        default=(1, 4, 16),
        min_length=1,
        strict=False,
        description="Requests at once, one measurement each; at most engine.max_num_seqs.",
    )
    prompt_tokens: int = Field(
        default=2048, ge=1, description="Tokens of each prompt, at most half of engine.max_model_len."
    )
    output_tokens: int = Field(
        default=64, ge=2, description="Tokens of each answer, at most a quarter of engine.max_model_len."
    )


class Acceptance(StrictModel):
    """Checks that a server must pass before it gets traffic. All are on unless `off` names them."""

    off: tuple[Check, ...] = Field(
        default=(), strict=False, description="Checks to leave out; docs/acceptance.md lists them."
    )
    prompts: tuple[Prompt, ...] = Field(
        default=(),
        strict=False,
        description="Prompts of your own with the words that their answers must have.",
    )
    limits: Limits = Field(default=Limits(), description="Longest times; unset: only the baseline counts.")
    ladder: Ladder = Field(default=Ladder(), description="The measurement that limits and baseline judge.")
    tolerance: float = Field(
        default=0.5, ge=0, description="Share by which a time may exceed the slice's baseline."
    )


def acceptance_problems(acceptance: Acceptance, engine: EngineConfig) -> Iterator[str]:
    """Yields one sentence for each setting that the acceptance of this engine could not honor."""
    checks = {"prompts": "prompts", "limits": "ladder", "ladder": "ladder", "tolerance": "ladder"}
    for key, check in checks.items():
        if check in acceptance.off and getattr(acceptance, key) != getattr(Acceptance(), key):
            yield (
                f"acceptance.{key} is set, and acceptance.off has {check}, which reads it; remove one of "
                "them."
            )
    ladder = acceptance.ladder
    most = max(ladder.concurrency)
    if "concurrency" in ladder.model_fields_set and most > engine.max_num_seqs:
        yield (
            f"acceptance.ladder.concurrency has {most}, and the engine takes {engine.max_num_seqs} requests "
            "at once; leave out larger numbers, or raise engine.max_num_seqs."
        )
    for key, tokens, most in (
        ("prompt_tokens", ladder.prompt_tokens, longest_prompt(engine)),
        ("output_tokens", ladder.output_tokens, longest_answer(engine)),
    ):
        if key in ladder.model_fields_set and tokens > most:
            yield (
                f"acceptance.ladder.{key} is {tokens:,}, and engine.max_model_len {engine.max_model_len:,} "
                f"leaves room for {most:,}; set at most that."
            )


def longest_prompt(engine: EngineConfig) -> int:
    """Returns the most tokens that a prompt of the ladder may have."""
    return engine.max_model_len // 2


def longest_answer(engine: EngineConfig) -> int:
    """Returns the most tokens that an answer of the ladder may have."""
    return engine.max_model_len // 4


class Rollout(StrictModel):
    """Order in which a release replaces the servers of the one before it."""

    surge: int = Field(
        default=0,
        ge=0,
        le=1,
        description="Spare slices: 0 replaces one server at a time on the slices that exist; 1 starts each "
        "new server on a spare slice first, so that no capacity is lost.",
    )
