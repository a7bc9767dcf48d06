"""Rules about steps, batches, context and drafting."""

from collections.abc import Iterator

from serving.compilation.candidate import Candidate, Rule
from serving.messages.finding import Finding


def context(candidate: Candidate) -> Iterator[Finding]:
    limit = candidate.model.max_context
    if limit is not None and candidate.engine.max_model_len > limit:
        yield candidate.finding(
            "error",
            "context-too-long",
            "max_model_len",
            f"{candidate.model.name} was trained for {limit:,} tokens",
            f"set it to {limit:,} or less",
        )


def step_smaller_than_batch(candidate: Candidate) -> Iterator[Finding]:
    tokens, requests = candidate.engine.max_num_batched_tokens, candidate.engine.max_num_seqs
    if tokens < requests:
        yield candidate.finding(
            "error",
            "step-smaller-than-batch",
            "max_num_batched_tokens",
            f"vLLM refuses to boot with fewer tokens in a step than its {requests:,} requests",
            f"raise it to {requests:,} or more, or lower max_num_seqs",
        )


def async_scheduling(candidate: Candidate) -> Iterator[Finding]:
    speculative = candidate.engine.speculative
    if speculative is None or speculative.method != "ngram":
        return
    if candidate.engine.async_scheduling:
        yield candidate.finding(
            "error",
            "async-with-ngram",
            "async_scheduling",
            "vLLM refuses to boot with both async scheduling and ngram drafting",
            "remove it, or remove speculative",
        )
    else:
        yield candidate.finding(
            "warning",
            "ngram-synchronous",
            "speculative",
            "ngram drafts on the host, reads tokens back from the chips at every step and turns async "
            "scheduling off; it pays only where answers repeat their prompt",
            "measure it against speculative: null",
            asked="engine.speculative is ngram",
        )


def ngram_lookup(candidate: Candidate) -> Iterator[Finding]:
    speculative = candidate.engine.speculative
    if speculative and speculative.method == "ngram" and speculative.prompt_lookup_max is None:
        yield candidate.finding(
            "note",
            "ngram-lookup-default",
            "speculative",
            "vLLM then looks for repeats of exactly 5 tokens, a length its own source calls arbitrary",
            "set prompt_lookup_min and prompt_lookup_max",
            asked="engine.speculative names no prompt_lookup_min and _max",
        )


def drafting_request_limits(candidate: Candidate) -> Iterator[Finding]:
    if candidate.engine.speculative:
        yield candidate.finding(
            "note",
            "no-prompt-logprobs",
            "speculative",
            "requests with prompt_logprobs are refused while drafting is on",
            "tell your users",
            asked=f"engine.speculative is {candidate.engine.speculative.method}",
        )


def sheds_below_batch(candidate: Candidate) -> Iterator[Finding]:
    limit, batch = candidate.engine.max_num_queued_reqs, candidate.engine.max_num_seqs
    if limit is not None and limit < batch:
        yield candidate.finding(
            "warning",
            "sheds-below-batch",
            "max_num_queued_reqs",
            f"the limit counts running requests too, so a batch of {batch:,} never fills",
            f"raise it to {batch:,} and the requests that may wait",
        )


def active_above_batch(candidate: Candidate) -> Iterator[Finding]:
    active = candidate.engine.extra_flags.get("max_num_active_seqs")
    batch = candidate.engine.max_num_seqs
    if isinstance(active, int) and active > batch:
        yield candidate.finding(
            "error",
            "active-above-batch",
            "extra_flags",
            f"vLLM refuses to boot with more active requests than max_num_seqs ({batch:,})",
            f"lower it to {batch:,} or less",
            asked=f"engine.extra_flags.max_num_active_seqs is {active:,}",
        )


RULES: tuple[Rule, ...] = (
    context,
    step_smaller_than_batch,
    async_scheduling,
    ngram_lookup,
    drafting_request_limits,
    sheds_below_batch,
    active_above_batch,
)
