"""Names from recipes, from other set-ups and from the deployment, and what to write instead.

Keys are in lower case with underscores, so that a flag, a variable and a field of one name share a row. A
value completes the sentence "<name> is not a name here: ...". A flag of `vllm serve` that only the engine
could take has its row in serving/engine/flag_verdicts.py.
"""

from collections.abc import Mapping

_TOKEN = "weights are mirrored once by a job that reads its token from the secret store; remove it"
_KEY = "a key does not belong in configuration, which Pulumi's state would show; keep it in the secret store"
_DERIVED = "it is derived from the cold-start estimate; remove it"

FOREIGN: Mapping[str, str] = {
    # The Turbo-Stable recipe.
    "xla_cache_dir": "no program reads XLA_CACHE_DIR, and the compile cache has its fixed place; remove it",
    "vllm_xla_cache_path": "the compile cache has its fixed place on a volume that outlives the container; "
    "remove it",
    "xla_cache_path": "the compile cache has its fixed place on a volume that outlives the container; "
    "remove it",
    "tpu_bucket_alignment": "no program reads TPU_BUCKET_ALIGNMENT; the gap between token buckets is "
    "bucket_padding_gap",
    "hf_token_file": f"no program reads HF_TOKEN_FILE, and the server needs no token: {_TOKEN}",
    "hf_token": f"the server needs no token: {_TOKEN}",
    "hugging_face_hub_token": f"the server needs no token: {_TOKEN}",
    "hf_home": "weights are mounted read-only and the server stays offline; remove it",
    "hf_hub_offline": "the server always stays offline, its weights are mounted; remove it",
    "model_id": "the model is the key model, outside engine",
    "tensor_parallel": "write tensor_parallel_size",
    "memory_utilization": "write gpu_memory_utilization",
    "multimodal_limits": "write limit_mm_per_prompt",
    # What the deployment decides.
    "model": "the model is the key model, outside engine",
    "revision": "the checkpoint's revision belongs to the model, outside engine",
    "served_model_name": "the served name follows the model; remove it",
    "host": "the address is fixed by the deployment; remove it",
    "port": "the port is fixed by the deployment; remove it",
    "vllm_port": "vLLM uses VLLM_PORT between its own processes, not for the endpoint; remove it",
    "middleware": "the request guard is the middleware; remove it",
    "api_key": _KEY,
    "vllm_api_key": _KEY,
    "shutdown_timeout": "it is derived from longest_request_seconds; set that",
    "vllm_engine_ready_timeout_s": _DERIVED,
    "engine_ready_timeout": _DERIVED,
    "vllm_media_url_allow_redirects": "media are fetched without redirects, from allowed_media_domains only; "
    "remove it",
    "vllm_media_fetch_max_retries": "a file of allowed_media_domains is fetched in one attempt; remove it",
    "home": "the deployment sets it; remove it",
    "user": "the deployment sets it; remove it",
    "pythonpath": "the deployment sets it, for the request guard; remove it",
    "download_dir": "weights are mounted read-only; remove it",
    # vLLM elsewhere.
    "swap_space": "the TPU runtime swaps nothing to the host; remove it",
    # Variables that are gone.
    "vllm_tpu_most_model_len": "vllm-tpu 0.32 no longer reads VLLM_TPU_MOST_MODEL_LEN; remove it",
    "vllm_tpu_disable_topk_topp_optimization": "vllm-tpu 0.32 no longer reads it; remove it",
    "vllm_use_v1": "V1 is the only engine; remove it",
    "vllm_torch_profiler_dir": "vllm-tpu 0.32 no longer reads it; remove it",
}
