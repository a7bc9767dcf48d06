"""Engine configuration: the flags and environment variables of `vllm serve` on TPU, typed.

`argv` and `environment` render it for Kubernetes and for virtual machines. A field that is None is not
passed, and vLLM's own default holds (serving/compilation/resolved_config.py repeats those that matter).
Names are vLLM's own; tests/vllm compares them with the parser and the variables of the pinned wheels.

serving/findings/ judges what a value means on a slice and for a model, so that a bad combination can still be
explained.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, ValidationError, field_validator, model_validator

from serving.engine import extra_flags
from serving.engine.environment_variables import extra_environment_problem
from serving.engine.media_domains import MediaDomains
from serving.engine.nested_options import (
    STRICT,
    ChatTemplateKwargs,
    GenerationDefaults,
    MultimodalLimits,
    QwixRule,
    Speculative,
    VisionPrograms,
)
from serving.engine.rendering import Kind, Rendered, flag, targets, variable
from serving.engine.trace_collector import CollectorEndpoint
from serving.messages.validation_errors import sentences

KvCacheDtype = Literal["auto", "bfloat16", "fp8", "fp8_e4m3", "fp8_e5m2"]
"""Types that tpu-inference 0.32 can store (utils.to_jax_dtype). The parser takes a dozen more, with which the
server ends at boot."""


class EngineConfig(Rendered):
    """One engine. A required field has no default, because vLLM's own default changes with its version."""

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
    max_num_queued_reqs: int | None = flag(
        "--max-num-queued-reqs",
        "Requests that the server may hold, running and waiting; at the limit a new one gets 503 and "
        "Retry-After. Unset, requests wait without a limit.",
        unit="requests",
        gt=0,
        le=65_536,
    )
    max_num_queued_tokens: int | None = flag(
        "--max-num-queued-tokens",
        "Prompt tokens that may wait for their answer; at the limit a new request gets 503 and Retry-After.",
        unit="tokens",
        gt=0,
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
    image_tokens: Literal[70, 140, 280, 560, 1120] | None = flag(
        "--mm-processor-kwargs",
        "Tokens of an image at most: the size at which the model sees it. Unset, the checkpoint's own (280). "
        "The phase's vision program follows it.",
        keys=("max_soft_tokens",),
        # The JAX model takes its shapes from here (tpu_inference/models/jax/gemma4_mm.py, max_soft_tokens).
        also={"--hf-overrides": ("vision_config", "default_output_length")},
        unit="tokens",
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
        keys=("architectures", 0),
        effect="Architecture to load instead of the one that config.json names.",
        min_length=1,
    )
    chat_template: str | None = flag(
        "--chat-template",
        "Jinja template instead of the checkpoint's: path of a file in the stack file's folder, "
        "at most 32 KiB. The server gets its text.",
        min_length=1,
    )
    generation_config: Literal["auto", "vllm"] | None = flag(
        "--generation-config", "auto takes the sampling defaults of the checkpoint, vllm those of vLLM."
    )
    override_generation_config: GenerationDefaults | None = flag(
        "--override-generation-config", "Sampling of requests that do not set it."
    )
    default_chat_template_kwargs: ChatTemplateKwargs | None = flag(
        "--default-chat-template-kwargs", "Variables of the chat template where a request sets none."
    )
    max_logprobs: int | None = flag(
        "--max-logprobs",
        "Alternatives that a request may ask for at each token; a shape of the programs that gather them.",
        unit="tokens",
        gt=0,
        le=1024,
    )
    enable_auto_tool_choice: bool | None = flag(
        "--enable-auto-tool-choice", "Let the model call tools; needs tool_call_parser."
    )
    tool_call_parser: Literal["gemma4"] | None = flag("--tool-call-parser", "Parser of tool calls.")
    reasoning_parser: Literal["gemma4"] | None = flag("--reasoning-parser", "Parser of reasoning text.")
    enable_log_requests: bool | None = flag("--enable-log-requests", "Log each request's parameters.")
    otlp_traces_endpoint: CollectorEndpoint | None = flag(
        "--otlp-traces-endpoint",
        "Collector of traces: a Service of the cluster, as in http://NAME.NAMESPACE.svc:4317. On GKE the "
        "server may call this port of the namespace; the Service's port has to be that of its pods.",
    )
    enable_prompt_tokens_details: bool | None = flag(
        "--enable-prompt-tokens-details", "Report cached prompt tokens in each answer."
    )

    compilation_sizes: tuple[Annotated[int, Field(gt=0)], ...] | None = flag(
        "--additional-config",
        "Token buckets beside the computed ones.",
        keys=("compilation_sizes",),
        unit="tokens",
        strict=False,
    )
    qwix_rules: tuple[QwixRule, ...] | None = flag(
        "--additional-config",
        "Weights that Qwix quantizes while the server loads them, first match first.",
        keys=("quantization", "qwix", "rules"),
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
        "MOE_REQUANTIZE_WEIGHT_DTYPE", "Requantize the experts while loading."
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
        description="Variables that have no field here. Names that a field or the deployment sets are "
        "refused, and so are secrets; a name that no package of the server reads is a warning.",
    )
    extra_flags: Mapping[str, JsonValue] = Field(
        default_factory=dict,
        description="Flags of `vllm serve` that have no field here, by their names with underscores.",
    )

    @field_validator("qwix_rules")
    @classmethod
    def _any_rule(cls, value: tuple[QwixRule, ...] | None) -> tuple[QwixRule, ...] | None:
        if value == ():
            raise ValueError("the list is empty; write at least one rule, or remove qwix_rules")
        return value

    @field_validator("extra_environment")
    @classmethod
    def _known_variables(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for name, text in value.items():
            problem = extra_environment_problem(name, text, cls.fields_by_target("variable"))
            if problem:
                raise ValueError(problem)
        return value

    @field_validator("extra_flags")
    @classmethod
    def _known_flags(cls, value: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
        for name, setting in value.items():
            problem = extra_flags.extra_flag_problem(name, setting, cls.fields_by_target("flag"))
            if problem:
                raise ValueError(problem)
        return value

    @model_validator(mode="after")
    def _flags_together(self) -> Self:
        problem = extra_flags.unmet_need(self.extra_flags, dict(self))
        if problem:
            raise ValueError(problem)
        return self

    @classmethod
    def fields_by_target(cls, kind: Kind) -> dict[str, str]:
        """Returns the field of each flag or variable that a field renders."""
        fields: dict[str, list[str]] = {}
        for target in targets(cls, kind):
            fields.setdefault(target.name, []).append(target.field)
        return {name: " or ".join(names) for name, names in fields.items()}

    @classmethod
    def advice_on(cls, name: str) -> str | None:
        """Returns what to do about a flag of `vllm serve` that is no field."""
        return extra_flags.advice_on_flag(name, cls.fields_by_target("flag"))

    def argv(self, model_path: str, served_model_name: str, port: int) -> tuple[str, ...]:
        """Returns the server's command line: fields in declaration order, then `extra_flags` by name."""
        declared = super().argv(model_path, served_model_name, port)
        return (*declared, *extra_flags.words(self.extra_flags))

    @field_validator("chat_template")
    @classmethod
    def _text_of_a_template(cls, value: str | None) -> str | None:
        # A value without these characters would be a path to vLLM, and no path is delivered.
        if value is not None and not any(mark in value for mark in "{}\n"):
            raise ValueError(
                f"{value} is not the text of a template, and nothing brings a file of that path to the "
                "server; name a file beside a stack file"
            )
        return value

    def environment(self) -> dict[str, str]:
        """Returns the server's environment: fields in declaration order, then `extra_environment` by name."""
        return self.declared_environment() | dict(sorted(self.extra_environment.items()))


def parse(raw: Mapping[str, object], where: str = "engine") -> EngineConfig:
    """Returns an engine from plain data. Raises ValueError: a sentence a line, each naming `where`.field."""
    try:
        return EngineConfig.model_validate(dict(raw))
    except ValidationError as error:
        raise ValueError("\n".join(sentences(error, where, EngineConfig))) from None
