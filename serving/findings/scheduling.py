"""Rules about steps, batches, context and drafting."""

from collections.abc import Iterator

from serving.compilation.candidate import Rule, Subject
from serving.messages.finding import Finding


def context(s: Subject) -> Iterator[Finding]:
    limit = s.model.max_context
    if limit is not None and s.engine.max_model_len > limit:
        yield s.finding(
            "error",
            "context-too-long",
            "max_model_len",
            f"{s.model.name} was trained for {limit:,} tokens",
            f"set it to {limit:,} or less",
        )


def step_smaller_than_batch(s: Subject) -> Iterator[Finding]:
    tokens, requests = s.engine.max_num_batched_tokens, s.engine.max_num_seqs
    if tokens < requests:
        yield s.finding(
            "error",
            "step-smaller-than-batch",
            "max_num_batched_tokens",
            f"vLLM refuses to boot with fewer tokens in a step than its {requests:,} requests",
            f"raise it to {requests:,} or more, or lower max_num_seqs",
        )


def async_scheduling(s: Subject) -> Iterator[Finding]:
    speculative = s.engine.speculative
    if speculative is None or speculative.method != "ngram":
        return
    if s.engine.async_scheduling:
        yield s.finding(
            "error",
            "async-with-ngram",
            "async_scheduling",
            "vLLM refuses to boot with both async scheduling and ngram drafting",
            "remove it, or remove speculative",
        )
    else:
        yield s.finding(
            "warning",
            "ngram-synchronous",
            "speculative",
            "ngram drafts on the host, reads tokens back from the chips at every step and turns async "
            "scheduling off; it pays only where answers repeat their prompt",
            "measure it against speculative: null",
            asked="engine.speculative is ngram",
        )


def ngram_lookup(s: Subject) -> Iterator[Finding]:
    speculative = s.engine.speculative
    if speculative and speculative.method == "ngram" and speculative.prompt_lookup_max is None:
        yield s.finding(
            "note",
            "ngram-lookup-default",
            "speculative",
            "vLLM then looks for repeats of exactly 5 tokens, a length its own source calls arbitrary",
            "set prompt_lookup_min and prompt_lookup_max",
            asked="engine.speculative names no prompt_lookup_min and _max",
        )


def drafting_request_limits(s: Subject) -> Iterator[Finding]:
    if s.engine.speculative:
        yield s.finding(
            "note",
            "no-prompt-logprobs",
            "speculative",
            "requests with prompt_logprobs are refused while drafting is on",
            "tell your users",
            asked=f"engine.speculative is {s.engine.speculative.method}",
        )


RULES: tuple[Rule, ...] = (
    context,
    step_smaller_than_batch,
    async_scheduling,
    ngram_lookup,
    drafting_request_limits,
)
