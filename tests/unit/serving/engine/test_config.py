"""The renderer: one order, compact JSON, nothing that a reader could misparse; and nothing dead."""

import json
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.engine.config import EngineConfig, parse
from serving.engine.environment_variables import known_names
from serving.engine.phases import PHASES, SCENARIOS, engine_for
from serving.engine.rendering import targets

REQUIRED: dict[str, Any] = {
    "tensor_parallel_size": 4,
    "gpu_memory_utilization": 0.9,
    "max_model_len": 16384,
    "max_num_seqs": 256,
    "max_num_batched_tokens": 4096,
}


def test_the_turbo_stable_command_line_exactly() -> None:
    argv = engine_for("turbo-stable", None, {}).argv("/models/m", "m", 8000)
    assert shlex.join(argv) == (
        "vllm serve /models/m --served-model-name m --port 8000 --tensor-parallel-size 4 --dtype bfloat16 "
        "--kv-cache-dtype fp8 --gpu-memory-utilization 0.9 --block-size 32 --max-model-len 16384 "
        "--max-num-seqs 256 --max-num-batched-tokens 4096 "
        "--enable-prefix-caching --disable-chunked-mm-input "
        """--limit-mm-per-prompt '{"image":4,"video":0,"audio":0}' """
        "--safetensors-load-strategy prefetch --trust-remote-code --enable-auto-tool-choice "
        "--tool-call-parser gemma4 --reasoning-parser gemma4"
    )


def test_the_turbo_stable_environment_exactly_and_in_order() -> None:
    assert list(engine_for("turbo-stable", None, {}).environment().items()) == [
        ("VLLM_TPU_BUCKET_PADDING_GAP", "512"),
        ("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0"),
        ("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1"),
        ("VLLM_NO_USAGE_STATS", "1"),
    ]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"enable_prefix_caching": False}, ["--no-enable-prefix-caching"]),
        ({"async_scheduling": True}, ["--async-scheduling"]),
        ({"compilation_sizes": [24, 48]}, ["--additional-config", '{"compilation_sizes":[24,48]}']),
        (
            {"architecture_override": "Gemma4ForCausalLM"},
            ["--hf-overrides", '{"architectures":["Gemma4ForCausalLM"]}'],
        ),
        (
            {"vision_programs": {"token_budgets": [280], "images_per_call": 1}},
            [
                "--compilation-config",
                '{"cudagraph_mm_encoder":true,"encoder_cudagraph_token_budgets":[280],'
                '"encoder_cudagraph_max_vision_items_per_batch":1}',
            ],
        ),
        (
            {"speculative": {"method": "ngram", "num_speculative_tokens": 3}},
            ["--speculative-config", '{"method":"ngram","num_speculative_tokens":3}'],
        ),
        (
            {"allowed_media_domains": ["a.example.com", "b.example.com"]},
            ["--allowed-media-domains", "a.example.com", "b.example.com"],
        ),
        ({"gpu_memory_utilization": 1}, ["--gpu-memory-utilization", "1"]),
        ({"image_tokens": 560}, ["--mm-processor-kwargs", '{"max_soft_tokens":560}']),
        ({"image_tokens": 560}, ["--hf-overrides", '{"vision_config":{"default_output_length":560}}']),
        (
            {"image_tokens": 70, "architecture_override": "Gemma4ForConditionalGeneration"},
            [
                "--hf-overrides",
                '{"vision_config":{"default_output_length":70},'
                '"architectures":["Gemma4ForConditionalGeneration"]}',
            ],
        ),
        (
            {
                "compilation_sizes": [24],
                "qwix_rules": [{"module_path": ".*", "weight_qtype": "int8", "tile_size": 128}],
            },
            [
                "--additional-config",
                '{"compilation_sizes":[24],"quantization":{"qwix":{"rules":'
                '[{"module_path":".*","weight_qtype":"int8","tile_size":128}]}}}',
            ],
        ),
        (
            {"override_generation_config": {"temperature": 0.5, "max_new_tokens": 512}},
            ["--override-generation-config", '{"temperature":0.5,"max_new_tokens":512}'],
        ),
        (
            {"default_chat_template_kwargs": {"enable_thinking": True}},
            ["--default-chat-template-kwargs", '{"enable_thinking":true}'],
        ),
        ({"extra_flags": {"log_error_stack": False}}, ["--no-log-error-stack"]),
        ({"extra_flags": {"stream_interval": 4, "seed": 7}}, ["--seed", "7", "--stream-interval", "4"]),
        (
            {"extra_flags": {"custom_histogram_buckets": {"time_to_first_token": [0.25, 0.35]}}},
            ["--custom-histogram-buckets", '{"time_to_first_token":[0.25,0.35]}'],
        ),
    ],
)
def test_how_a_value_is_written(overrides: dict[str, object], words: list[str]) -> None:
    argv = list(parse({**REQUIRED, **overrides}).argv("m", "m", 1))
    place = argv.index(words[0])
    assert argv[place : place + len(words)] == words


@pytest.mark.parametrize(
    ("overrides", "name", "text"),
    [
        ({"bucket_padding_gap": 0}, "VLLM_TPU_BUCKET_PADDING_GAP", "0"),
        ({"use_batched_rpa_kernel": False}, "USE_BATCHED_RPA_KERNEL", "0"),
        ({"cache_min_compile_seconds": 0.5}, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5"),
        ({"extra_environment": {"JAX_LOG_COMPILES": "1"}}, "JAX_LOG_COMPILES", "1"),
    ],
)
def test_how_a_variable_is_written(overrides: dict[str, object], name: str, text: str) -> None:
    assert parse({**REQUIRED, **overrides}).environment()[name] == text


def test_an_unset_field_is_neither_passed_nor_set() -> None:
    bare = parse({**REQUIRED, "cache_min_compile_seconds": None, "cache_min_entry_bytes": None})
    bare = bare.model_copy(update={"no_usage_stats": None})
    assert bare.environment() == {}
    assert len(bare.argv("m", "m", 1)) == 3 + 4 + 2 * len(REQUIRED)


def test_variables_of_fields_are_real_names_and_no_two_fields_share_a_target() -> None:
    every = [(target.name, target.keys) for target in targets(EngineConfig)]
    assert len(every) == len(set(every))
    whole = {name for name, keys in every if not keys}
    assert whole.isdisjoint(name for name, keys in every if keys)
    assert {target.name for target in targets(EngineConfig, "variable")} <= set(known_names())


def test_every_field_says_what_it_does_and_no_flag_carries_a_secret() -> None:
    for field, info in EngineConfig.model_fields.items():
        assert info.description and info.description.endswith("."), field
    for name in PHASES:
        words = " ".join(engine_for(name, None, {}).argv("m", "m", 1)).lower()
        assert "token " not in words.replace("token s", "") and "--api-key" not in words


engines = st.builds(
    engine_for,
    st.sampled_from(sorted(PHASES)),
    st.sampled_from([None, *sorted(SCENARIOS)]),
    st.fixed_dictionaries(
        {},
        optional={
            "max_num_seqs": st.integers(1, 4096),
            "max_model_len": st.integers(1, 262_144),
            "max_num_batched_tokens": st.integers(1, 65_536),
            "gpu_memory_utilization": st.floats(0.01, 1, allow_nan=False),
            "bucket_padding_gap": st.integers(0, 65_536),
            "block_size": st.none() | st.integers(1, 1024),
            "enable_prefix_caching": st.none() | st.booleans(),
            "limit_mm_per_prompt": st.fixed_dictionaries(
                {}, optional={kind: st.integers(0, 64) for kind in ("image", "video", "audio")}
            ),
            "compilation_sizes": st.none() | st.lists(st.integers(1, 65_536)),
        },
    ),
)


@given(engines)
def test_a_command_line_survives_a_shell_and_its_json_is_compact(engine: EngineConfig) -> None:
    argv = engine.argv("/models/m", "m", 8000)
    assert tuple(shlex.split(shlex.join(argv))) == argv
    for word in argv:
        if word.startswith("{"):
            assert json.dumps(json.loads(word), separators=(",", ":")) == word
    assert all(word for word in argv)
    assert all(text for text in engine.environment().values())


@given(engines)
def test_an_engine_is_what_its_own_dump_says(engine: EngineConfig) -> None:
    dump = engine.model_dump(exclude={"vision_programs"})
    assert parse(dump) == engine.model_copy(update={"vision_programs": None})
    assert engine.argv("m", "m", 1) == engine.argv("m", "m", 1)
