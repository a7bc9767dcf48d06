"""Verdict on every flag of `vllm serve` that is no field of the engine: accepted as it is, or refused and
why.

A flag is a field of the engine (serving/engine/config.py), or has its row in EXTRA, in REFUSED, or in FOREIGN
(serving/messages/unsupported_options.py) because other set-ups use its name too. A unit test walks all flags.
"""

from collections.abc import Mapping
from typing import NamedTuple

from serving.messages.finding import VERSION


class Need(NamedTuple):
    """Setting without which a flag of extra_flags has no effect, or without which vLLM refuses to boot.

    `setting` is a field of the engine or another flag of extra_flags. It needs this `value`; None stands for
    any value that is neither 0 nor false. `where` is the value of the flag that has the need; None stands for
    every value.
    """

    setting: str
    value: bool | str | None = True
    where: str | None = None


class Extra(NamedTuple):
    """A flag that engine.extra_flags may set.

    `least` and `most` bound a number where the parser does not; `values` are those of the parser's choices
    that work; `keys` are those of a JSON object of lists of numbers. `programs` says that the flag changes
    what is compiled, so that it belongs to the name of the compile cache. `need` is the setting that it does
    nothing without.
    """

    effect: str
    least: float | None = None
    most: float | None = None
    values: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    programs: bool = False
    need: Need | None = None


_LOGGED = Need("enable_log_requests")
_PREFETCH = Need("safetensors_load_strategy", "prefetch")

EXTRA: Mapping[str, Extra] = {
    # Answers and the front end.
    "chat_template_content_format": Extra("Form in which a message's content reaches the chat template."),
    "response_role": Extra("Role that an answer names."),
    "return_tokens_as_token_ids": Extra("Writes the tokens of log-probabilities as token_id:NUMBER."),
    "exclude_tools_when_tool_choice_none": Extra("Leaves tools out of the prompt when tool_choice is none."),
    "tool_strict_level": Extra("Least strictness of constrained tool calls."),
    "enable_per_request_metrics": Extra("Adds the times of the request to each answer."),
    "enable_force_include_usage": Extra("Adds the token counts to every answer."),
    "sse_keep_alive_interval": Extra("Seconds between comments in an idle stream; 0 sends none.", least=0),
    "anthropic_disabled_thinking_effort": Extra("Effort of /v1/messages when thinking is disabled."),
    "fingerprint_mode": Extra(
        "What system_fingerprint of an answer holds.", need=Need("fingerprint_value", None, where="custom")
    ),
    "fingerprint_value": Extra(
        "The system_fingerprint of fingerprint_mode: custom.", need=Need("fingerprint_mode", "custom")
    ),
    "enable_request_id_headers": Extra("Adds X-Request-Id to each answer."),
    "interleave_mm_strings": Extra(
        "Keeps images between the texts of a message where they stood.",
        need=Need("chat_template_content_format", "string"),
    ),
    "stream_interval": Extra("Tokens that one chunk of a stream holds.", least=1),
    # The TPU runtime takes log_softmax in every mode (layers/jax/sample/sampling.py,
    # compute_and_gather_logprobs), so it never returns logits. It reads the mode for answers only
    # (runner/tpu_runner.py, logprobs_use_processed_logits and compute_prompt_logprobs).
    "logprobs_mode": Extra(
        "Log-probabilities of an answer: raw ones before temperature, top_k and top_p, processed ones after "
        "them. Those of a prompt are raw.",
        values=("raw_logprobs", "processed_logprobs"),
        programs=True,
    ),
    # numpy.random.seed takes 32 bits (tpu_inference/runner/tpu_runner.py, _init_random).
    "seed": Extra("Seed of the sampler.", least=0, most=2**32 - 1),
    # Logs.
    "max_log_len": Extra("Characters of a prompt or an answer that the log shows.", least=0, need=_LOGGED),
    "enable_log_outputs": Extra("Logs the text of each answer.", need=_LOGGED),
    "enable_log_deltas": Extra("Logs each chunk of a stream.", need=Need("enable_log_outputs")),
    "log_error_stack": Extra("Logs the stack of an error that a client got."),
    "uvicorn_log_level": Extra("Verbosity of the HTTP server's log."),
    "disable_uvicorn_access_log": Extra("Logs no HTTP request."),
    "disable_access_log_for_endpoints": Extra("Paths whose requests are not logged, with commas."),
    "enable_logging_iteration_details": Extra("Logs each step of the engine."),
    # HTTP.
    "h11_max_incomplete_event_size": Extra("Bytes of headers before they are complete.", least=1),
    "h11_max_header_count": Extra("Headers of one request.", least=1),
    # Metrics.
    "show_hidden_metrics_for_version": Extra("Shows metrics that were hidden since this version."),
    "per_request_spec_decode_metrics": Extra("Adds the counts of drafted tokens to each answer."),
    "kv_cache_metrics": Extra("Measures how long KV pages live and rest."),
    "kv_cache_metrics_sample": Extra(
        "Share of the KV pages that is measured.", least=0.000001, most=1, need=Need("kv_cache_metrics")
    ),
    "custom_histogram_buckets": Extra(
        "Bounds of histograms, a list for each family (vllm/v1/metrics/buckets.py).",
        keys=(
            *("request_latency", "time_to_first_token", "inter_token_latency", "iteration_tokens"),
            *("request_params_n", "request_num_preemptions", "request_tokens", "kv_cache_residency"),
        ),
    ),
    # The scheduler and the host.
    "max_num_active_seqs": Extra("Requests that may run at once, below max_num_seqs.", least=1),
    "long_prefill_token_threshold": Extra(
        "Tokens that one long prompt may take of a step while other requests run or wait; 0 sets no limit.",
        least=0,
    ),
    "long_prefill_token_threshold_adaptive": Extra(
        "Never holds a long prompt below its fair share.", need=Need("long_prefill_token_threshold", None)
    ),
    "scheduler_reserve_full_isl": Extra("Admits a request when its whole prompt fits the KV cache."),
    "watermark": Extra(
        "Share of the KV pages that stays free when a request is admitted.", least=0, most=0.99
    ),
    "prefix_caching_hash_algo": Extra("Hash of KV pages.", values=("sha256", "sha256_cbor")),
    "renderer_num_workers": Extra("Threads that tokenize and prepare images.", least=1, most=64),
    "mm_processor_cache_gb": Extra("Gigabytes of host memory for prepared images.", least=0, most=4),
    "mm_hasher_algorithm": Extra("Hash by which prepared images are found again."),
    # Loading.
    "safetensors_prefetch_num_threads": Extra(
        "Threads of the prefetch load strategy.", least=1, most=64, need=_PREFETCH
    ),
    "safetensors_prefetch_block_size": Extra(
        "Bytes of a read of the prefetch load strategy.", least=4096, need=_PREFETCH
    ),
    "use_tqdm_on_load": Extra("Shows the progress of loading in the log."),
}

_REMOVE = "; remove it"
_LORA = (
    f"{VERSION} loads LoRA adapters only into vLLM's own model code, and Gemma 4 runs as a JAX model; merge "
    "the adapter into a checkpoint and serve that"
)
_REPLICAS = "replicas are separate servers here, each with its slice; set replicas, outside engine"
_ONE_PROCESS = f"on TPU one process drives all chips of the slice{_REMOVE}"
_CUDA = f"no code of the TPU backend reads it, only vLLM's GPU code does{_REMOVE}"
_MAMBA = f"Gemma 4 has no Mamba or linear-attention layer{_REMOVE}"
_POOLING = f"this server generates text, it does not embed or score{_REMOVE}"
_FILE = f"nothing delivers the file or Python module that it names{_REMOVE}"
_CHECKPOINT = f"tokenizer and configuration come with the checkpoint{_REMOVE}"
_VIDEO = f"{VERSION} has no path for videos on TPU{_REMOVE}"
_OTHER_SERVER = f"it needs a second server that this project does not deploy{_REMOVE}"
_CLOSED = f"the request guard does not serve the endpoints that it adds{_REMOVE}"
_TLS = f"TLS ends at the load balancer, and a pod has no certificate{_REMOVE}"
_ADDRESS = f"the deployment fixes address and process of the server{_REMOVE}"
_QUANTIZATION = (
    "the memory model knows no other weights than the catalog's; write "
    "moe_requantize_weight_dtype or qwix_rules, which quantize while the server loads"
)
_OFFLOAD = f"the TPU runtime moves no weights and no KV pages to the host by it{_REMOVE}"
_UNMODELED = f"it changes programs or memory in a way that nobody has compiled or measured here{_REMOVE}"
_DRAFTS = "write speculative"
_LOGGING = "write logging_level"
_CORS = (
    "the request guard answers web pages; set allowed_origins of the stack (tpuserve:allowed_origins) instead"
)
_PROCESSOR = f"images are prepared on the host for programs of one shape{_REMOVE}"
_GONE = f"{VERSION} still parses it and does nothing with it{_REMOVE}"

_BY_REASON: Mapping[str, tuple[str, ...]] = {
    _LORA: (
        *("enable_lora", "lora_modules", "max_loras", "max_lora_rank", "lora_dtype", "max_cpu_loras"),
        *("enable_tower_connector_lora", "fully_sharded_loras", "lora_target_modules", "default_mm_loras"),
        *("specialize_active_lora", "enable_mixed_moe_lora_format", "enable_moe_shared_loras"),
        "max_lora_cls_labels",
    ),
    _REPLICAS: (
        *("data_parallel_size", "data_parallel_rank", "data_parallel_start_rank", "data_parallel_size_local"),
        *(
            "data_parallel_address",
            "data_parallel_rpc_port",
            "data_parallel_backend",
            "data_parallel_hybrid_lb",
        ),
        *("data_parallel_external_lb", "data_parallel_multi_port_external_lb", "dp_sync_interval"),
        *("data_parallel_supervisor_port", "dp_supervisor_probe_interval_s", "dp_supervisor_probe_timeout_s"),
        *("dp_supervisor_probe_failure_threshold", "disable_nccl_for_dp_synchronization"),
        *("enable_elastic_ep", "elastic_ep_max_dp_size", "prefill_schedule_interval"),
        *("aggregate_engine_logging", "enable_fault_tolerance", "fault_tolerance_config"),
    ),
    _ONE_PROCESS: (
        *("distributed_executor_backend", "master_addr", "master_port", "nnodes", "node_rank"),
        *("distributed_timeout_seconds", "cpu_distributed_timeout_seconds", "numa_bind", "numa_bind_nodes"),
        *("numa_bind_cpus", "device_ids", "max_parallel_loading_workers", "ray_workers_use_nsight"),
        *("headless", "worker_cls", "worker_extension_cls", "pipeline_parallel_size"),
    ),
    _CUDA: (
        *(
            "disable_custom_all_reduce",
            "enable_shm_tensor_arena",
            "enable_hc_sp",
            "enable_dbo",
            "ubatch_size",
        ),
        *("dbo_decode_token_threshold", "dbo_prefill_token_threshold", "all2all_backend", "dcp_comm_backend"),
        *("dcp_q_replicate", "dcp_kv_cache_interleave_size", "cp_kv_cache_interleave_size"),
        "enable_batch_sharded_sampling",
        *("enable_ep_weight_filter", "enable_eplb", "eplb_config", "expert_placement_strategy"),
        *("cudagraph_capture_sizes", "max_cudagraph_capture_size", "cudagraph_metrics", "ir_op_priority"),
        *("enable_flashinfer_autotune", "monokernel", "moe_backend", "linear_backend", "kernel_config"),
        *("sparse_indexer_topk_backend", "enable_cumem_allocator"),
        *("enable_nccl_comm_suspend", "sleep_mode_offload_cudagraph", "sleep_preserve_parameter_names"),
        *("enable_layerwise_nvtx_tracing", "enable_mfu_metrics", "jit_monitor_mode", "jit_monitor_verbose"),
        *("use_fp64_gumbel", "return_sampling_mask", "enable_trace_replay", "collect_detailed_traces"),
        *("mm_encoder_attn_backend", "mm_encoder_attn_dtype", "mm_encoder_fp8_scale_path"),
        *("mm_encoder_fp8_scale_save_path", "mm_encoder_fp8_scale_save_margin", "mm_ipc_gpu_memory_gb"),
        *("skip_mm_profiling", "optimization_level", "performance_mode", "watermark_config"),
        *("kv_sharing_fast_prefill", "swa_bounded_replay", "kv_cache_memory_bytes", "logits_processors"),
        "kv_cache_dtype_skip_layers",
    ),
    _MAMBA: (
        *("mamba_backend", "mamba_ssu_algorithm", "enable_mamba_cache_stochastic_rounding"),
        *("mamba_cache_philox_rounds", "mamba_cache_dtype", "mamba_ssm_cache_dtype", "mamba_block_size"),
        *(
            "mamba_cache_mode",
            "enable_mamba_shared_prefix_checkpoint",
            "replayssm_buffer_len",
            "use_replayssm",
        ),
        *("gdn_prefill_backend", "kda_prefill_backend", "kda_decode_backend", "prefix_match_unit"),
        "prefix_cache_retention_interval",
    ),
    _POOLING: ("runner", "convert", "pooler_config", "enable_flash_late_interaction", "io_processor_plugin"),
    _FILE: (
        *("config", "hf_config_path", "tool_parser_plugin", "reasoning_parser_plugin", "scheduler_cls"),
        *("log_config_file", "logging_config", "model_class_overrides", "profiler_config"),
    ),
    _CHECKPOINT: (
        *("tokenizer", "tokenizer_mode", "tokenizer_revision", "code_revision", "config_format"),
        *("skip_tokenizer_init", "ignore_patterns", "pt_load_map_location", "model_loader_extra_config"),
    ),
    _VIDEO: ("video_pruning_rate", "video_pruning_method"),
    _OTHER_SERVER: (
        *("kv_transfer_config", "kv_events_config", "ec_transfer_config", "ec_manager_config", "tool_server"),
        *("weight_transfer_config", "mm_encoder_only", "grpc", "grpc_port"),
    ),
    _CLOSED: (
        *("tokens_only", "enable_scale_out", "enable_tokenizer_info_endpoint", "disable_fastapi_docs"),
        *("enable_offline_docs", "cohere_format", "cohere_is_reasoning_model", "root_path"),
    ),
    _TLS: (
        *(
            "ssl_keyfile",
            "ssl_certfile",
            "ssl_ca_certs",
            "enable_ssl_refresh",
            "ssl_cert_reqs",
            "ssl_ciphers",
        ),
    ),
    _ADDRESS: ("uds", "api_server_count"),
    _QUANTIZATION: ("quantization", "quantization_config", "allow_deprecated_quantization"),
    _OFFLOAD: (
        *("kv_offloading_size", "kv_offloading_backend", "offload_backend", "cpu_offload_params"),
        "cpu_offload_gb",
        *("offload_group_size", "offload_num_in_group", "offload_prefetch_step", "offload_params"),
    ),
    _UNMODELED: (
        *(
            "attention_backend",
            "disable_sliding_window",
            "disable_hybrid_kv_cache_manager",
            "aux_output_config",
        ),
        *("enable_return_routed_experts", "max_num_scheduled_tokens", "diffusion_config", "engram_config"),
        *("enable_prompt_embeds", "enable_mm_embeds", "mm_encoder_tp_mode", "reasoning_config"),
        *("structured_outputs_config", "attention_config", "decode_context_parallel_size"),
        "prefill_context_parallel_size",
    ),
    _DRAFTS: ("spec_method", "spec_model", "spec_tokens"),
    _LOGGING: ("log_level",),
    _CORS: ("allowed_origins", "allow_credentials", "allowed_methods", "allowed_headers"),
    _PROCESSOR: (
        *("media_io_kwargs", "mm_processor_device", "mm_device_do_normalize", "mm_tensor_ipc"),
        *("mm_processor_cache_type", "mm_shm_cache_max_object_size_mb"),
    ),
    _GONE: ("disable_cascade_attn",),
    "write model_impl_type": ("model_impl",),
    f"the request guard refuses the field priority, so requests have one order{_REMOVE}": (
        "scheduling_policy",
    ),
    "on TPU the image programs are compiled all the same; set limit_mm_per_prompt to {image: 0, video: 0, "
    "audio: 0}": ("language_model_only",),
    "on TPU it skips the compilation at boot, and requests wait for it instead; remove it": (
        "enforce_eager",
    ),
    "chunked prefill is always on; its size is max_num_batched_tokens": ("enable_chunked_prefill",),
    "the TPU runtime has no sleep mode; remove it": ("enable_sleep_mode",),
    "only GET /load reads the count, and the request guard does not serve it; remove it, and read "
    "vllm:num_requests_running of /metrics": ("enable_server_load_tracking",),
    f"it lets a client read files of the server{_REMOVE}": ("allowed_local_media_path",),
    "it lets any client run a template in the server; write chat_template": ("trust_request_chat_template",),
    "it lets a client change the size of images, and the programs are for one size; write image_tokens": (
        "trust_request_mm_kwargs",
    ),
    f"it switches off the metrics that docs/operations.md reads{_REMOVE}": ("disable_log_stats",),
    f"it ends the server at a variable that vLLM does not know, and the deployment sets such ones{_REMOVE}": (
        "fail_on_environ_validation",
    ),
}

REFUSED: Mapping[str, str] = {name: reason for reason, names in _BY_REASON.items() for name in names}
"""Flag -> why it is refused, and what to do instead. It completes the sentence "<flag> is refused: ..."."""
