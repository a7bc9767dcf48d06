"""The engine: every flag and environment variable of `vllm serve` on TPU that production sets, typed.

One renderer for Kubernetes and virtual machines: `argv` and `environment`. A field that is None is not
passed, and vLLM's own default holds (`serving/compilation/resolved_config.py` knows which). Names are vLLM's
own, checked against the real parser and `environment_variables` of the pinned wheels by tests/oracle.

What a value means on a given slice and model is not judged here but in serving/findings/, so that
a bad combination can still be explained.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator

from serving.engine.environment_variables import extra_environment_problem
from serving.engine.media_domains import MediaDomains
from serving.engine.nested_options import STRICT, MultimodalLimits, Speculative, VisionPrograms
from serving.engine.rendering import Rendered, flag, targets, variable
from serving.messages.validation_errors import sentences

KvCacheDtype = Literal["auto", "bfloat16", "fp8", "fp8_e4m3", "fp8_e5m2"]
"""What tpu-inference 0.32 can store (utils.to_jax_dtype); the parser takes a dozen more, and the server
then dies at boot."""


class EngineConfig(Rendered):
    """One engine. Required fields have no default on purpose: vLLM's own change with its version."""

    model_config = STRICT

    tensor_parallel_size: int = flag(
        "--tensor-parallel-size",
        "Chips that share each layer; the slice's whole count.",
        unit="chips",
        default=...,
        gt=0,
        le=256,
    )
    enable_expert_parallel: bool | None = flag(
        "--enable-expert-parallel", "Spread whole experts over the chips instead of slicing each one."
    )
    dtype: Literal["auto", "bfloat16"] | None = flag("--dtype", "Type of weights and activations.")
    kv_cache_dtype: KvCacheDtype | None = flag("--kv-cache-dtype", "Type in which the KV cache is stored.")
    gpu_memory_utilization: float = flag(
        "--gpu-memory-utilization",
        "Share of HBM for weights and KV cache; the rest is for programs and their temporaries.",
        unit="share of HBM",
        default=...,
        gt=0,
        le=1,
    )
    block_size: int | None = flag(
        "--block-size",
        "Tokens in a page of the KV cache. Unset, the server picks the smallest page whose "
        "block table fits the scalar memory; set, that guard is off.",
        unit="tokens",
        gt=0,
        le=1024,
    )
    num_gpu_blocks_override: int | None = flag(
        "--num-gpu-blocks-override",
        "Fixes the number of KV pages, and with it the compile-cache key.",
        unit="pages",
        gt=0,
    )
    max_model_len: int = flag(
        "--max-model-len",
        "Longest request, prompt and answer together.",
        unit="tokens",
        default=...,
        gt=0,
        le=262_144,
    )
    max_num_seqs: int = flag(
        "--max-num-seqs", "Requests that one step may hold.", unit="requests", default=..., gt=0, le=4096
    )
    max_num_batched_tokens: int = flag(
        "--max-num-batched-tokens",
        "Tokens that one step may process; the largest bucket.",
        unit="tokens",
        default=...,
        gt=0,
        le=65_536,
    )
    speculative: Speculative | None = flag("--speculative-config", "Speculative decoding; unset is off.")
    async_scheduling: bool | None = flag(
        "--async-scheduling", "Prepare the next step while the chips run this one; not with ngram."
    )
    enable_prefix_caching: bool | None = flag(
        "--enable-prefix-caching", "Reuse the KV pages of equal prompt beginnings (vLLM's default)."
    )
    disable_chunked_mm_input: bool | None = flag(
        "--disable-chunked-mm-input", "Never split one image over two steps; the TPU runtime cannot."
    )
    limit_mm_per_prompt: MultimodalLimits | None = flag(
        "--limit-mm-per-prompt", "Images, videos and audio clips that one request may carry."
    )
    allowed_media_domains: MediaDomains | None = flag(
        "--allowed-media-domains",
        "Host names from which the server may fetch media, by https and without redirects. Unset, it fetches "
        "nothing, and clients send media as data: URLs.",
        strict=False,
    )
    vision_programs: VisionPrograms | None = flag(
        "--compilation-config",
        "Compile the vision tower at boot. Unset, the first image of a server's life compiles it.",
    )
    load_format: Literal["auto", "safetensors", "runai_streamer"] | None = flag(
        "--load-format", "How weights are read."
    )
    safetensors_load_strategy: Literal["lazy", "eager", "prefetch"] | None = flag(
        "--safetensors-load-strategy",
        "prefetch reads the files into the page cache first; it helps on "
        "network storage and needs free host memory of the checkpoint's size.",
    )
    trust_remote_code: bool | None = flag(
        "--trust-remote-code", "Run Python code found beside the weights. Gemma 4 needs none."
    )
    architecture_override: str | None = flag(
        "--hf-overrides",
        wrap="architectures",
        effect="Architecture to load instead of the one that config.json names.",
        min_length=1,
    )
    chat_template: str | None = flag(
        "--chat-template", "Path of a chat template inside the container.", min_length=1
    )
    generation_config: str | None = flag(
        "--generation-config",
        "auto takes sampling defaults from the checkpoint, vllm takes vLLM's.",
        min_length=1,
    )
    enable_auto_tool_choice: bool | None = flag(
        "--enable-auto-tool-choice", "Let the model call tools; needs tool_call_parser."
    )
    tool_call_parser: Literal["gemma4"] | None = flag("--tool-call-parser", "Parser of tool calls.")
    reasoning_parser: Literal["gemma4"] | None = flag("--reasoning-parser", "Parser of reasoning text.")
    enable_log_requests: bool | None = flag("--enable-log-requests", "Log each request's parameters.")
    enable_prompt_tokens_details: bool | None = flag(
        "--enable-prompt-tokens-details", "Report cached prompt tokens in each answer."
    )

    compilation_sizes: tuple[Annotated[int, Field(gt=0)], ...] | None = flag(
        "--additional-config",
        "Token buckets beside the computed ones.",
        wrap="compilation_sizes",
        unit="tokens",
        strict=False,
    )
    bucket_padding_gap: int | None = variable(
        "VLLM_TPU_BUCKET_PADDING_GAP",
        "0 doubles the token buckets; a gap makes them linear above it: less "
        "padding, more programs to compile.",
        unit="tokens",
        ge=0,
        le=65_536,
    )
    min_token_bucket: int | None = variable(
        "MIN_TOKEN_BUCKET", "Smallest token bucket.", unit="tokens", gt=0, le=65_536
    )
    attn_bucketized_num_reqs: bool | None = variable(
        "ATTN_BUCKETIZED_NUM_REQS", "Compile attention for several request counts."
    )
    sampling_microbatch_size: int | None = variable(
        "SAMPLING_MICROBATCH_SIZE",
        "Sample in slices of this many requests; 0 samples all at once.",
        unit="requests",
        ge=0,
    )
    model_impl_type: Literal["auto", "vllm", "flax_nnx"] | None = variable(
        "MODEL_IMPL_TYPE", "Model code: JAX's own (flax_nnx) or vLLM's through torchax (vllm)."
    )
    use_batched_rpa_kernel: bool | None = variable(
        "USE_BATCHED_RPA_KERNEL", "The batched paged-attention kernel; upstream pairs it with block 256."
    )
    moe_requantize_weight_dtype: Literal["float8_e4m3fn", "float8_e5m2", "int8"] | None = variable(
        "MOE_REQUANTIZE_WEIGHT_DTYPE", "Requantise the experts while loading."
    )
    moe_requantize_block_size: int | None = variable(
        "MOE_REQUANTIZE_BLOCK_SIZE", "Weights that share one scale.", unit="weights", gt=0
    )
    num_precompile_workers: int | None = variable(
        "NUM_PRECOMPILE_WORKERS", "Threads that compile programs at boot.", unit="threads", gt=0, le=64
    )
    skip_jax_precompile: bool | None = variable(
        "SKIP_JAX_PRECOMPILE", "Compile each program when a request first needs it."
    )
    xla_check_recompilation: bool | None = variable(
        "VLLM_XLA_CHECK_RECOMPILATION", "Fail a step that would compile at run time; for tests."
    )
    cache_min_compile_seconds: float | None = variable(
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS",
        "Programs that compile faster are not cached; JAX's "
        "own 1 second leaves out the hundreds of small ones.",
        unit="seconds",
        default=0.0,
        ge=0,
    )
    cache_min_entry_bytes: int | None = variable(
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES",
        "Smaller programs are not cached; -1 caches all.",
        unit="bytes",
        default=-1,
        ge=-1,
    )
    explain_cache_misses: bool | None = variable(
        "JAX_EXPLAIN_CACHE_MISSES", "Log why a program was not found in the cache."
    )
    no_usage_stats: bool | None = variable(
        "VLLM_NO_USAGE_STATS", "Send no usage statistics to vLLM's authors.", default=True
    )
    logging_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] | None = variable(
        "VLLM_LOGGING_LEVEL", "Verbosity of the server's log."
    )
    extra_environment: Mapping[str, str] = Field(
        default_factory=dict,
        description="Variables of vLLM, tpu-inference, JAX, libtpu or Hugging Face that have no field here. "
        "Unknown names, names that a field owns and secrets are refused.",
    )

    @field_validator("extra_environment")
    @classmethod
    def _known_variables(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        owned = {target.name: target.field for target in targets(cls, "variable")}
        for name, text in value.items():
            problem = extra_environment_problem(name, text, owned)
            if problem:
                raise ValueError(problem)
        return value

    def environment(self) -> dict[str, str]:
        """The server's environment: fields in declaration order, then `extra_environment` by name."""
        return self.declared_environment() | dict(sorted(self.extra_environment.items()))


def parse(raw: Mapping[str, object], where: str = "engine") -> EngineConfig:
    """An engine from plain data. Raises ValueError: one sentence a line, each naming `where`.field."""
    try:
        return EngineConfig.model_validate(dict(raw))
    except ValidationError as error:
        raise ValueError("\n".join(sentences(error, where, EngineConfig))) from None
