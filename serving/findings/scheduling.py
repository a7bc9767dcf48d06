"""Rules about steps, batches, context and drafting."""

from collections.abc import Iterator

from serving.compilation.candidate import Candidate, Rule
from serving.engine.extra_flags import without
from serving.engine.layers import Change
from serving.memory.budget import min_batched_tokens
from serving.messages.finding import Finding

NO_DRAFTING: Change = {"engine.speculative": None}

THRESHOLD = "long_prefill_token_threshold"

DEFAULT_LOOKUP = 5
"""Tokens of a repeat that vLLM's ngram looks for unless it is set (vllm/config/speculative.py)."""


def context(candidate: Candidate) -> Iterator[Finding]:
    """Refuses requests longer than the model's `max_position_embeddings`.

    vllm/config/model.py, `_get_and_verify_max_len`, refuses them as well.
    """
    limit = candidate.model.max_context
    if candidate.engine.max_model_len > limit:
        yield candidate.finding(
            "error",
            "context-too-long",
            "max_model_len",
            f"{candidate.model.name} was trained for {limit:,} tokens",
            {"engine.max_model_len": limit},
        )


def step_smaller_than_batch(candidate: Candidate) -> Iterator[Finding]:
    """Refuses fewer tokens than requests in a step (vllm/config/scheduler.py, `verify_max_model_len`)."""
    tokens, requests = candidate.engine.max_num_batched_tokens, candidate.engine.max_num_seqs
    if tokens < requests:
        enough = max(requests, min_batched_tokens(candidate.model, candidate.engine))
        yield candidate.finding(
            "error",
            "step-smaller-than-batch",
            "max_num_batched_tokens",
            f"vLLM refuses to boot with fewer tokens in a step than its {requests:,} requests",
            {"engine.max_num_batched_tokens": enough},
            {"engine.max_num_seqs": tokens},
        )


def async_scheduling(candidate: Candidate) -> Iterator[Finding]:
    """Refuses async scheduling with ngram (vllm/config/vllm.py, `VllmConfig.__post_init__`)."""
    speculative = candidate.engine.speculative
    if speculative is None:
        return
    if candidate.engine.async_scheduling:
        yield candidate.finding(
            "error",
            "async-with-ngram",
            "async_scheduling",
            "vLLM refuses to boot with both async scheduling and ngram drafting",
            {"engine.async_scheduling": None},
            NO_DRAFTING,
        )
    else:
        yield candidate.finding(
            "warning",
            "ngram-synchronous",
            "speculative",
            "ngram drafts on the host, reads tokens back from the chips at every step and turns async "
            "scheduling off; it pays only where answers repeat their prompt",
            NO_DRAFTING,
            otherwise="measure that it pays for your requests",
            asked="engine.speculative is ngram",
        )


def constrained_drafts(candidate: Candidate) -> Iterator[Finding]:
    """Reports that an engine that drafts answers no constrained request, and refuses one that has no others.

    tpu_inference/runner/structured_decoding_manager.py, `prepare_structured_decoding_input`, takes one row of
    allowed tokens for each request, and a step with drafts has several rows of logits for each. The guard
    refuses such requests (agent/server/request_rules.py). vLLM constrains every request with tools at a level
    above auto (vllm/tool_parsers/tool_strict_level.py), which no request shows.
    """
    if candidate.engine.speculative is None:
        return
    level = candidate.engine.extra_flags.get("tool_strict_level", "auto")
    if level != "auto":
        yield candidate.finding(
            "error",
            "drafts-with-strict-tools",
            "speculative",
            "that level constrains every request with tools, and on TPU an answer with drafts cannot be "
            "constrained",
            NO_DRAFTING,
            {"engine.extra_flags": {**candidate.engine.extra_flags, "tool_strict_level": "auto"}},
            asked=f"engine.speculative is ngram beside tool_strict_level {level}",
        )
        return
    yield candidate.finding(
        "warning",
        "drafts-without-constraints",
        "speculative",
        "on TPU an answer with drafts cannot be constrained, so the server refuses JSON schemas, grammars, "
        "required or strict tool calls and limits to one call with 400",
        NO_DRAFTING,
        otherwise="keep it where clients send none of these",
        asked="engine.speculative is ngram",
    )


def ngram_lookup(candidate: Candidate) -> Iterator[Finding]:
    """Reports lengths that nobody chose (vllm/config/speculative.py, "arbitrarily chosen")."""
    speculative = candidate.engine.speculative
    if speculative and speculative.prompt_lookup_max is None:
        chosen = {
            **speculative.model_dump(exclude_none=True),
            "prompt_lookup_min": DEFAULT_LOOKUP,
            "prompt_lookup_max": DEFAULT_LOOKUP,
        }
        yield candidate.finding(
            "note",
            "ngram-lookup-default",
            "speculative",
            f"vLLM then looks for repeats of exactly {DEFAULT_LOOKUP} tokens, a length that its own source "
            f"calls arbitrary",
            {"engine.speculative": chosen},
            otherwise="choose other lengths in the same way",
            asked="engine.speculative names no prompt_lookup_min and _max",
        )


def sheds_below_batch(candidate: Candidate) -> Iterator[Finding]:
    """Reports a queue shorter than a batch (vllm/v1/engine/async_llm.py counts running requests too)."""
    limit, batch = candidate.engine.max_num_queued_reqs, candidate.engine.max_num_seqs
    if limit is not None and limit < batch:
        yield candidate.finding(
            "warning",
            "sheds-below-batch",
            "max_num_queued_reqs",
            f"the limit counts running requests too, so a batch of {batch:,} never fills",
            {"engine.max_num_queued_reqs": batch},
            otherwise="set it higher by the requests that may wait",
        )


def active_above_batch(candidate: Candidate) -> Iterator[Finding]:
    """Refuses more active requests than a batch has (vllm/config/scheduler.py, `verify_max_model_len`)."""
    active = candidate.engine.extra_flags.get("max_num_active_seqs")
    batch = candidate.engine.max_num_seqs
    if isinstance(active, int) and active > batch:
        yield candidate.finding(
            "error",
            "active-above-batch",
            "extra_flags",
            f"vLLM refuses to boot with more active requests than max_num_seqs ({batch:,})",
            {"engine.extra_flags": {**candidate.engine.extra_flags, "max_num_active_seqs": batch}},
            asked=f"engine.extra_flags.max_num_active_seqs is {active:,}",
        )


def threshold_below_item(candidate: Candidate) -> Iterator[Finding]:
    """Refuses a limit for long prompts below an image, which would never be processed.

    vllm/v1/core/sched/scheduler.py cuts a chunk at the limit while more than one request runs or waits
    (`schedule`), and goes back to the image's start where the chunk does not hold it whole
    (`_try_schedule_encoder_inputs`). The adaptive limit is a share of the step for each request, and with
    enough requests that share is smaller than an image too.
    """
    threshold = candidate.engine.extra_flags.get(THRESHOLD)
    item = min_batched_tokens(candidate.model, candidate.engine)
    if isinstance(threshold, int) and 0 < threshold < item:
        yield candidate.finding(
            "error",
            "threshold-below-item",
            "extra_flags",
            f"one image or video may take {item:,} tokens and cannot be split, so it is never processed "
            "while other requests run or wait",
            *_thresholds(candidate, item),
            asked=f"engine.extra_flags.{THRESHOLD} is {threshold:,}",
        )


def threshold_above_context(candidate: Candidate) -> Iterator[Finding]:
    """Refuses a limit for long prompts above the longest request (vllm/config/scheduler.py,
    `verify_max_model_len`)."""
    threshold, longest = candidate.engine.extra_flags.get(THRESHOLD), candidate.engine.max_model_len
    if isinstance(threshold, int) and threshold > longest:
        yield candidate.finding(
            "error",
            "threshold-above-context",
            "extra_flags",
            f"vLLM refuses to boot with a limit above max_model_len ({longest:,})",
            *_thresholds(candidate, longest),
            asked=f"engine.extra_flags.{THRESHOLD} is {threshold:,}",
        )


def _thresholds(candidate: Candidate, tokens: int) -> Iterator[Change]:
    """Yields the change to a limit of `tokens`, and the one to no limit."""
    flags = candidate.engine.extra_flags
    yield {"engine.extra_flags": {**flags, THRESHOLD: tokens}}
    yield {"engine.extra_flags": without(flags, THRESHOLD)}


RULES: tuple[Rule, ...] = (
    context,
    step_smaller_than_batch,
    async_scheduling,
    constrained_drafts,
    ngram_lookup,
    sheds_below_batch,
    active_above_batch,
    threshold_below_item,
    threshold_above_context,
)
