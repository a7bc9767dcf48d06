"""Rules about how the server runs: chips, model code, scheduling, security."""

from collections.abc import Iterator

from serving.hardware.kernels import expert_parallel_lowers
from serving.messages.finding import VERSION, Finding, Rule, Subject


def chips(s: Subject) -> Iterator[Finding]:
    asked, have = s.engine.tensor_parallel_size, s.accelerator.chips
    if asked > have:
        yield s.finding(
            "error",
            "too-few-chips",
            "tensor_parallel_size",
            f"{s.accelerator.name} has {have}",
            f"set it to {have}, or take a larger accelerator",
        )
    elif asked < have:
        yield s.finding(
            "warning",
            "idle-chips",
            "tensor_parallel_size",
            f"{s.accelerator.name} has {have} chips, and the others stay idle while they are paid for",
            f"set it to {have}, or take a smaller accelerator",
        )


def replicated_kv_heads(s: Subject) -> Iterator[Finding]:
    heads, chips = s.model.kv_heads_full, s.engine.tensor_parallel_size
    if chips > heads:
        yield s.finding(
            "note",
            "replicated-kv-heads",
            "tensor_parallel_size",
            f"the full-attention layers of {s.model.name} have {heads} KV heads, so each is stored "
            f"{-(-chips // heads)} times",
            "take fewer chips if memory is short",
        )


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


def expert_parallel(s: Subject) -> Iterator[Finding]:
    if not s.engine.enable_expert_parallel:
        return
    if s.model.experts is None:
        yield s.finding(
            "note",
            "no-experts",
            "enable_expert_parallel",
            f"{s.model.name} has no experts",
            "remove it",
        )
        return
    limit = expert_parallel_lowers(s.accelerator)
    largest = s.runtime.programs.buckets.tokens[-1]
    if limit is not None and largest > limit:
        yield s.finding(
            "error",
            "expert-parallel-lowering",
            "enable_expert_parallel",
            f"with {VERSION} the expert gather kernel has no form for {s.accelerator.generation} in steps "
            f"of more than {limit} tokens, and this engine compiles {largest:,}",
            f"remove it, or set max_num_batched_tokens to {limit} or less",
        )


def requantised_experts(s: Subject) -> Iterator[Finding]:
    engine = s.engine
    if engine.moe_requantize_weight_dtype is None:
        if engine.moe_requantize_block_size is not None:
            yield s.finding(
                "note",
                "requantise-block-alone",
                "moe_requantize_block_size",
                "it does nothing without moe_requantize_weight_dtype",
                "remove it",
            )
    elif s.model.experts is None:
        yield s.finding(
            "note",
            "requantise-no-experts",
            "moe_requantize_weight_dtype",
            f"{s.model.name} has no experts",
            "remove it",
        )
    else:
        yield s.finding(
            "warning",
            "requantised-experts",
            "moe_requantize_weight_dtype",
            "the experts lose precision that nobody has measured for this model",
            "compare answers on your own evaluation before traffic",
        )


def architecture(s: Subject) -> Iterator[Finding]:
    named = s.engine.architecture_override or s.model.architecture
    known = ("Gemma4ForConditionalGeneration", "Gemma4ForCausalLM")
    if named not in known:
        yield s.finding(
            "warning",
            "architecture-fallback",
            "architecture_override",
            f"{VERSION} has no JAX code for {named} and falls back to vLLM's PyTorch code, whose programs "
            f"and memory are not modelled here",
            "set architecture_override to Gemma4ForCausalLM to serve text with the JAX code",
            asked=f"{s.model.name} declares {named}" if s.engine.architecture_override is None else "",
        )
    elif named == "Gemma4ForCausalLM" and s.runtime.multimodal:
        yield s.finding(
            "error",
            "text-architecture-with-images",
            "architecture_override",
            "that class has no vision tower, and limit_mm_per_prompt lets images in",
            "set every limit to 0, or remove the override",
        )


def model_code(s: Subject) -> Iterator[Finding]:
    if s.engine.model_impl_type == "vllm":
        yield s.finding(
            "warning",
            "torchax",
            "model_impl_type",
            "upstream's CI notes call vLLM's PyTorch code slower for Gemma 4, with programs about 6 GiB "
            "larger than the JAX code's",
            "remove it: auto takes the JAX code",
        )
    if s.engine.load_format == "runai_streamer":
        yield s.finding(
            "warning",
            "streamer-changes-model-code",
            "load_format",
            "the streamer loads through vLLM's PyTorch code wherever the JAX class has no loader of its own",
            "remove it, and check the boot log if you keep it",
        )


def remote_code(s: Subject) -> Iterator[Finding]:
    if s.engine.trust_remote_code:
        yield s.finding(
            "warning",
            "remote-code",
            "trust_remote_code",
            "Gemma 4 is built into vLLM, so this only lets a changed checkpoint run its own Python",
            "remove it",
        )


def tools(s: Subject) -> Iterator[Finding]:
    if s.engine.enable_auto_tool_choice and s.engine.tool_call_parser is None:
        yield s.finding(
            "error",
            "tool-choice-without-parser",
            "enable_auto_tool_choice",
            "vLLM refuses to boot without a parser",
            "set tool_call_parser to gemma4",
        )


def request_logs(s: Subject) -> Iterator[Finding]:
    if s.engine.enable_log_requests:
        prompts = s.engine.logging_level == "DEBUG"
        yield s.finding(
            "warning" if prompts else "note",
            "request-logs",
            "enable_log_requests",
            "at DEBUG the log holds the users' prompts"
            if prompts
            else "each request's parameters go to the log, and its prompt at level DEBUG",
            "remove it unless you want that",
        )


RULES: tuple[Rule, ...] = (
    chips,
    replicated_kv_heads,
    context,
    step_smaller_than_batch,
    async_scheduling,
    ngram_lookup,
    drafting_request_limits,
    expert_parallel,
    requantised_experts,
    architecture,
    model_code,
    remote_code,
    tools,
    request_logs,
)
