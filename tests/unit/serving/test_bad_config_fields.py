"""Values that no engine can have: one row a case, with the sentence that the user reads."""

import pytest

from serving.accelerators import accelerator
from serving.models import model
from serving.phases import engine_for

# overrides of phase tuned -> the whole message
FIELDS: list[tuple[dict[str, object], str]] = [
    (
        {"max_num_seqs": "8"},
        "engine.max_num_seqs is the text '8'; it must be a whole number (requests); write it without quotes.",
    ),
    ({"max_num_seqs": 0}, "engine.max_num_seqs is 0; it must be above 0 (requests); raise it."),
    ({"max_num_seqs": -4}, "engine.max_num_seqs is -4; it must be above 0 (requests); raise it."),
    ({"max_num_seqs": 8192}, "engine.max_num_seqs is 8,192; it must be at most 4,096 (requests); lower it."),
    (
        {"max_num_seqs": 8.5},
        "engine.max_num_seqs is 8.5; it must be a whole number (requests); write a whole number.",
    ),
    (
        {"max_num_seqs": True},
        "engine.max_num_seqs is true; it must be a whole number (requests); write a whole number.",
    ),
    (
        {"max_num_seqs": None},
        "engine.max_num_seqs is empty; it must be a whole number (requests); write a whole number.",
    ),
    (
        {"max_num_sqes": 8},
        "engine.max_num_sqes is not a name here; the nearest is max_num_seqs; correct or remove it.",
    ),
    ({"max-model-len": 8192}, "engine.max-model-len is not a name here; write max_model_len."),
    ({"max_model_len": 0}, "engine.max_model_len is 0; it must be above 0 (tokens); raise it."),
    (
        {"max_model_len": 1000000},
        "engine.max_model_len is 1,000,000; it must be at most 262,144 (tokens); lower it.",
    ),
    (
        {"max_model_len": "16k"},
        "engine.max_model_len is the text '16k'; it must be a whole number (tokens); write a whole number.",
    ),
    (
        {"gpu_memory_utilization": 0},
        "engine.gpu_memory_utilization is 0; it must be above 0 (share of HBM); raise it.",
    ),
    (
        {"gpu_memory_utilization": 95},
        "engine.gpu_memory_utilization is 95; it must be at most 1 (share of HBM); lower it.",
    ),
    (
        {"gpu_memory_utilization": "0.9"},
        "engine.gpu_memory_utilization is the text '0.9'; it must be a number (share of HBM); write it without quotes.",
    ),
    (
        {"memory_utilization": 0.9},
        "engine.memory_utilization is not a name here: write gpu_memory_utilization.",
    ),
    ({"tensor_parallel": 4}, "engine.tensor_parallel is not a name here: write tensor_parallel_size."),
    ({"tensor_parallel_size": 0}, "engine.tensor_parallel_size is 0; it must be above 0 (chips); raise it."),
    (
        {"kv_cache_dtype": "int8"},
        "engine.kv_cache_dtype is the text 'int8'; possible are auto, bfloat16, fp8, fp8_e4m3, fp8_e5m2; write one of them.",
    ),
    (
        {"kv_cache_dtype": "nvfp4"},
        "engine.kv_cache_dtype is the text 'nvfp4'; possible are auto, bfloat16, fp8, fp8_e4m3, fp8_e5m2; write one of them.",
    ),
    (
        {"kv_cache_dtype": "fp8_e5m3"},
        "engine.kv_cache_dtype is the text 'fp8_e5m3'; possible are auto, bfloat16, fp8, fp8_e4m3, fp8_e5m2; write one of them.",
    ),
    (
        {"dtype": "float16"},
        "engine.dtype is the text 'float16'; possible are auto, bfloat16; write one of them.",
    ),
    ({"block_size": 0}, "engine.block_size is 0; it must be above 0 (tokens); raise it."),
    ({"block_size": 4096}, "engine.block_size is 4,096; it must be at most 1,024 (tokens); lower it."),
    (
        {"max_num_batched_tokens": 0},
        "engine.max_num_batched_tokens is 0; it must be above 0 (tokens); raise it.",
    ),
    (
        {"max_num_batched_tokens": [4096]},
        "engine.max_num_batched_tokens is a list; it must be a whole number (tokens); write a whole number.",
    ),
    (
        {"bucket_padding_gap": -1},
        "engine.bucket_padding_gap is -1; it must be at least 0 (tokens); raise it.",
    ),
    (
        {"bucket_padding_gap": "512"},
        "engine.bucket_padding_gap is the text '512'; it must be a whole number (tokens); write it without quotes.",
    ),
    (
        {"bucket_padding_gap": ""},
        "engine.bucket_padding_gap is the text ''; it must be a whole number (tokens); write a whole number.",
    ),
    (
        {"num_precompile_workers": 0},
        "engine.num_precompile_workers is 0; it must be above 0 (threads); raise it.",
    ),
    (
        {"trust_remote_code": "yes"},
        "engine.trust_remote_code is the text 'yes'; it must be true or false; write true or false.",
    ),
    (
        {"trust_remote_code": 1},
        "engine.trust_remote_code is 1; it must be true or false; write true or false.",
    ),
    (
        {"tool_call_parser": "hermes"},
        "engine.tool_call_parser is the text 'hermes'; only gemma4 is possible; write that.",
    ),
    (
        {"reasoning_parser": "qwen3"},
        "engine.reasoning_parser is the text 'qwen3'; only gemma4 is possible; write that.",
    ),
    (
        {"safetensors_load_strategy": "mmap"},
        "engine.safetensors_load_strategy is the text 'mmap'; possible are lazy, eager, prefetch; write one of them.",
    ),
    (
        {"load_format": "gguf"},
        "engine.load_format is the text 'gguf'; possible are auto, safetensors, runai_streamer; write one of them.",
    ),
    (
        {"moe_requantize_weight_dtype": "fp8"},
        "engine.moe_requantize_weight_dtype is the text 'fp8'; possible are float8_e4m3fn, float8_e5m2, int8; write one of them.",
    ),
    ({"chat_template": ""}, "engine.chat_template is empty; write a value or remove it."),
    (
        {"speculative": "ngram"},
        "engine.speculative is the text 'ngram'; it must be a set of names and values; write it as YAML, not as text.",
    ),
    (
        {"speculative": {"method": "ngram"}},
        "engine.speculative.num_speculative_tokens is not set and has no default; set it.",
    ),
    (
        {"speculative": {"method": "suffix", "num_speculative_tokens": 3}},
        "engine.speculative.method is the text 'suffix'; possible are ngram, mtp; write one of them.",
    ),
    (
        {"speculative": {"method": "ngram", "num_speculative_tokens": 0}},
        "engine.speculative.num_speculative_tokens is 0; it must be above 0; raise it.",
    ),
    (
        {"speculative": {"method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_max": 2}},
        "engine.speculative: set both prompt_lookup_min and prompt_lookup_max, or neither.",
    ),
    (
        {
            "speculative": {
                "method": "ngram",
                "num_speculative_tokens": 3,
                "prompt_lookup_min": 5,
                "prompt_lookup_max": 2,
            }
        },
        "engine.speculative: prompt_lookup_min 5 is above prompt_lookup_max 2; swap them.",
    ),
    (
        {"speculative": {"method": "ngram", "num_speculative_tokens": 3, "model": "x/y"}},
        "engine.speculative: ngram drafts from the prompt and takes no model; remove speculative.model.",
    ),
    (
        {"speculative": {"method": "mtp", "num_speculative_tokens": 4}},
        "engine.speculative: mtp needs a draft model; set speculative.model to its repository.",
    ),
    (
        {
            "speculative": {
                "method": "mtp",
                "num_speculative_tokens": 4,
                "model": "x/y",
                "prompt_lookup_min": 1,
            }
        },
        "engine.speculative: prompt_lookup_* belongs to ngram; remove it for mtp.",
    ),
    (
        {"speculative": {"method": "ngram", "num_speculative_tokens": 3, "draft": 1}},
        "engine.speculative.draft is not a name here: it takes method, num_speculative_tokens, prompt_lookup_min, prompt_lookup_max, model; remove it.",
    ),
    (
        {"speculative_config": {"method": "ngram"}},
        "engine.speculative_config is not a name here: write speculative.",
    ),
    (
        {"limit_mm_per_prompt": {"images": 4}},
        "engine.limit_mm_per_prompt.images is not a name here; the nearest is image; correct or remove it.",
    ),
    (
        {"limit_mm_per_prompt": {"image": -1}},
        "engine.limit_mm_per_prompt.image is -1; it must be at least 0; raise it.",
    ),
    (
        {"limit_mm_per_prompt": '{"image":4,"audio":1}'},
        'engine.limit_mm_per_prompt is the text \'{"image":4,"audio":1}\'; it must be a set of names and values; write it as YAML, not as text.',
    ),
    (
        {"vision_programs": {"token_budgets": [], "images_per_call": 1}},
        "engine.vision_programs: token_budgets is empty; write at least one, or remove vision_programs.",
    ),
    (
        {"vision_programs": {"token_budgets": [2], "images_per_call": 4}},
        "engine.vision_programs: images_per_call 4 is above the smallest token budget 2; lower it.",
    ),
    (
        {"compilation_sizes": "24"},
        "engine.compilation_sizes is the text '24'; it must be a list (tokens); write it as YAML, not as text.",
    ),
    (
        {"compilation_sizes": ["24"]},
        "engine.compilation_sizes.0 is the text '24'; it must be a whole number; write it without quotes.",
    ),
    (
        {"XLA_CACHE_DIR": "/shared/cache"},
        "engine.XLA_CACHE_DIR is not a name here: no program reads XLA_CACHE_DIR, and the compile cache has its fixed place; remove it.",
    ),
    (
        {"TPU_BUCKET_ALIGNMENT": 512},
        "engine.TPU_BUCKET_ALIGNMENT is not a name here: no program reads TPU_BUCKET_ALIGNMENT; the gap between token buckets is bucket_padding_gap.",
    ),
    (
        {"VLLM_XLA_CACHE_PATH": "/shared/cache"},
        "engine.VLLM_XLA_CACHE_PATH is not a name here: the compile cache has its fixed place on a volume that outlives the container; remove it.",
    ),
    (
        {"HF_TOKEN_FILE": "/run/secrets/hf_token"},
        "engine.HF_TOKEN_FILE is not a name here: no program reads HF_TOKEN_FILE, and the server needs no token: weights are mirrored once by a job that reads its token from the secret store; remove it.",
    ),
    (
        {"api_key": "hunter2"},
        "engine.api_key is not a name here: a key never belongs into configuration, which state would show; keep it in the secret store.",
    ),
    (
        {"enforce_eager": True},
        "engine.enforce_eager is not a name here: on TPU it skips the compilation at boot, and requests wait for it instead; remove it.",
    ),
    (
        {"language_model_only": True},
        "engine.language_model_only is not a name here: on TPU the image programs are compiled all the same; set limit_mm_per_prompt to {image: 0, video: 0, audio: 0}.",
    ),
    (
        {"shutdown_timeout": 30},
        "engine.shutdown_timeout is not a name here: it is derived from longest_request_seconds; set that.",
    ),
    (
        {"pipeline_parallel_size": 2},
        "engine.pipeline_parallel_size is not a name here: one host serves the model whole; remove it.",
    ),
    (
        {"swap_space": 4},
        "engine.swap_space is not a name here: the TPU runtime swaps nothing to the host; remove it.",
    ),
    (
        {"model": "google/gemma-4-26B-A4B-it"},
        "engine.model is not a name here: the model is the key model, outside engine.",
    ),
    ({"frobnicate": 1}, "engine.frobnicate is not a name here; remove it."),
    (
        {"extra_environment": {"VLLM_TPU_BUCKET_PADING_GAP": "512"}},
        "engine.extra_environment: no program of the server reads VLLM_TPU_BUCKET_PADING_GAP; the nearest is VLLM_TPU_BUCKET_PADDING_GAP, which is the field bucket_padding_gap.",
    ),
    (
        {"extra_environment": {"VLLM_TPU_BUCKET_PADDING_GAP": "512"}},
        "engine.extra_environment: VLLM_TPU_BUCKET_PADDING_GAP has a field of its own; set bucket_padding_gap instead.",
    ),
    (
        {"extra_environment": {"VLLM_TPU_MOST_MODEL_LEN": "2048"}},
        "engine.extra_environment: VLLM_TPU_MOST_MODEL_LEN: vllm-tpu 0.32 no longer reads VLLM_TPU_MOST_MODEL_LEN; remove it.",
    ),
    (
        {"extra_environment": {"TPU_BUCKET_ALIGNMENT": "512"}},
        "engine.extra_environment: TPU_BUCKET_ALIGNMENT: no program reads TPU_BUCKET_ALIGNMENT; the gap between token buckets is bucket_padding_gap.",
    ),
    (
        {"extra_environment": {"HF_TOKEN": "hf_x"}},
        "engine.extra_environment: HF_TOKEN: the server needs no token: weights are mirrored once by a job that reads its token from the secret store; remove it.",
    ),
    (
        {"extra_environment": {"VLLM_API_KEY": "k"}},
        "engine.extra_environment: VLLM_API_KEY: a key never belongs into configuration, which state would show; keep it in the secret store.",
    ),
    (
        {"extra_environment": {"S3_SECRET_ACCESS_KEY": "k"}},
        "engine.extra_environment: S3_SECRET_ACCESS_KEY looks like a secret, which state would show; keep it in the secret store.",
    ),
    (
        {"extra_environment": {"JAX_LOG_COMPILE": "1"}},
        "engine.extra_environment: no program of the server reads JAX_LOG_COMPILE; the nearest is JAX_LOG_COMPILES.",
    ),
    (
        {"extra_environment": {"JAX_LOG_COMPILES": ""}},
        "engine.extra_environment: JAX_LOG_COMPILES is empty, which the server reads as a value; write one or remove it.",
    ),
    (
        {"extra_environment": {"TPU_VISIBLE_CHIPS": 4}},
        "engine.extra_environment.TPU_VISIBLE_CHIPS is not text; write it in quotes.",
    ),
    (
        {"extra_environment": {"HF_HUB_OFFLINE": "0"}},
        "engine.extra_environment: HF_HUB_OFFLINE: the server always stays offline, its weights are mounted; remove it.",
    ),
    (
        {"extra_environment": {"PYTHONPATH": "/x"}},
        "engine.extra_environment: no program of the server reads PYTHONPATH; remove it.",
    ),
]


@pytest.mark.parametrize(("overrides", "sentence"), FIELDS, ids=[str(row[0]) for row in FIELDS])
def test_a_bad_value_is_refused_in_one_sentence(overrides: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError) as refusal:
        engine_for("tuned", None, overrides)
    assert str(refusal.value) == sentence


NAMES = [
    (
        lambda: engine_for("turbo", None, {}),
        "phase 'turbo' does not exist: there are baseline, peak, turbo-stable, tuned; set phase to turbo-stable.",
    ),
    (
        lambda: engine_for("nonsense", None, {}),
        "phase 'nonsense' does not exist: there are baseline, peak, turbo-stable, tuned; choose one of them.",
    ),
    (
        lambda: engine_for("tuned", "chat", {}),
        "scenario 'chat' does not exist: there are interactive, batch, multimodal, autoscaling, cost-constrained; choose one of them.",
    ),
    (
        lambda: accelerator("v6e4"),
        "accelerator 'v6e4' does not exist: there are v6e-1, v6e-4, v6e-8, local-v6e-4; set accelerator to v6e-4.",
    ),
    (
        lambda: accelerator("v5e-4"),
        "accelerator 'v5e-4' does not exist: there are v6e-1, v6e-4, v6e-8, local-v6e-4; set accelerator to v6e-4.",
    ),
    (
        lambda: accelerator("h100"),
        "accelerator 'h100' does not exist: there are v6e-1, v6e-4, v6e-8, local-v6e-4; choose one of them.",
    ),
    (
        lambda: model("gemma-4-26b"),
        "model 'gemma-4-26b' does not exist: there are gemma-4-e2b-it, gemma-4-e4b-it, gemma-4-12b-it, gemma-4-26b-a4b-it, gemma-4-31b-it, tiny-gemma4-moe; set model to gemma-4-26b-a4b-it.",
    ),
    (
        lambda: model("llama"),
        "model 'llama' does not exist: there are gemma-4-e2b-it, gemma-4-e4b-it, gemma-4-12b-it, gemma-4-26b-a4b-it, gemma-4-31b-it, tiny-gemma4-moe; choose one of them.",
    ),
    (
        lambda: model("google/gemma-4-27B-it"),
        "model 'gemma-4-27B-it' does not exist: there are gemma-4-e2b-it, gemma-4-e4b-it, gemma-4-12b-it, gemma-4-26b-a4b-it, gemma-4-31b-it, tiny-gemma4-moe; set model to gemma-4-e2b-it.",
    ),
]


@pytest.mark.parametrize(("ask", "sentence"), NAMES)
def test_an_unknown_name_finds_the_nearest(ask, sentence: str) -> None:
    with pytest.raises(ValueError) as refusal:
        ask()
    assert str(refusal.value) == sentence


def test_every_mistake_gets_its_own_line() -> None:
    with pytest.raises(ValueError) as refusal:
        engine_for("tuned", None, {"max_num_seqs": 0, "block_sise": 32, "dtype": "int4"})
    assert len(str(refusal.value).splitlines()) == 3


def test_a_secret_in_the_wrong_place_is_not_repeated() -> None:
    for overrides in (
        {"api_key": "hunter2"},
        {"extra_environment": {"HF_TOKEN": "hunter2"}},
        {"extra_environment": {"HF_TOKEN": ["hunter2"]}},
    ):
        with pytest.raises(ValueError) as refusal:
            engine_for("tuned", None, overrides)
        assert "hunter2" not in str(refusal.value)


def test_the_tables_hold_at_least_sixty_cases() -> None:
    assert len(FIELDS) + len(NAMES) >= 60
