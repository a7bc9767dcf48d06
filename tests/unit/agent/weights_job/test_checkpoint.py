"""The comparison of a user's checkpoint with the model table, before its weights are copied."""

import json
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest

from agent.weights_job.checkpoint import checkpoint_problem
from proof.checkpoint import text_configuration
from serving.models.catalog import MODELS, model
from serving.models.checkpoint import expectation
from serving.models.spec import Experts, ModelSpec

SPEC = model("gemma-4-26b-a4b-it")
LONGEST = 16_384
EXPECT = expectation(SPEC, LONGEST)


def config(change: Callable[[dict[str, Any]], object] = lambda content: None) -> bytes:
    """A config.json of the 26B with a change."""
    content: dict[str, Any] = {
        "architectures": ["Gemma4ForConditionalGeneration"],
        "dtype": "bfloat16",
        "text_config": text_configuration(SPEC),
    }
    change(content)
    return json.dumps(content).encode()


def text(**change: object) -> bytes:
    return config(lambda content: content["text_config"].update(change))


@pytest.mark.parametrize("name", MODELS)
def test_a_checkpoint_of_each_row_is_what_is_expected(name: str) -> None:
    spec = MODELS[name]
    described = text_configuration(spec)
    content = {"architectures": [spec.architecture], "text_config": described}
    expect = expectation(spec, spec.max_context)
    compared = json.loads(expect)["text_config"]
    # A name that the configuration never has would never be compared.
    experts = {"num_experts", "top_k_experts", "moe_intermediate_size"} if spec.experts else set[str]()
    assert set(compared) <= set(described)
    assert experts <= set(compared)
    assert checkpoint_problem(json.dumps(content).encode(), spec.weight_bytes, expect) is None


NOT_COMPARED = {
    "name": "how this project calls the model",
    "hf_repo": "the user's own",
    "revision": "the user's own",
    "max_context": "compared with the engine's max_model_len",
    "vision_bytes": "follows from the tower, which the size of the files limits",
    "parameters": "follows from the shapes",
    "modalities": "what the architecture takes",
    "tokens_per_image": "the processor's, not the checkpoint's",
    "max_tokens_per_multimodal_item": "the processor's, not the checkpoint's",
}


def other(value: object) -> Any:
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case Experts():
            return None
        case str() | None:
            return f"{value} of another"
        case _:
            return ()


@pytest.mark.parametrize("field", [field.name for field in fields(ModelSpec)])
def test_what_a_row_states_is_compared(field: str) -> None:
    changed = json.loads(expectation(replace(SPEC, **{field: other(getattr(SPEC, field))}), LONGEST))
    before = json.loads(EXPECT)
    if field != "name":
        assert (changed == before) == (field in NOT_COMPARED)


@pytest.mark.parametrize("field", [field.name for field in fields(Experts)])
def test_each_width_of_the_experts_is_compared(field: str) -> None:
    assert SPEC.experts
    experts = replace(SPEC.experts, **{field: 7})
    assert expectation(replace(SPEC, experts=experts), LONGEST) != EXPECT


def published(spec: ModelSpec) -> bytes:
    """A config.json that states full attention as the published ones do, and not as transformers 5.19."""
    described = text_configuration(spec)
    del described["per_layer_config"]
    described["global_head_dim"] = spec.head_dim_full
    described["num_global_key_value_heads"] = spec.kv_heads_full if spec.key_equals_value else None
    return json.dumps({"architectures": [spec.architecture], "text_config": described}).encode()


@pytest.mark.parametrize("name", ["gemma-4-e2b-it", "gemma-4-e4b-it", "gemma-4-26b-a4b-it", "gemma-4-31b-it"])
def test_the_published_form_is_taken(name: str) -> None:
    spec = MODELS[name]
    assert checkpoint_problem(published(spec), spec.weight_bytes, expectation(spec, LONGEST)) is None


FULL = {str(layer): {"head_dim": 512, "num_key_value_heads": 2} for layer in (5, 11, 17, 23, 29)}
FULL_ATTENTION = [
    (
        {"per_layer_config": None},
        "config.json has no text_config.global_head_dim and no text_config.per_layer_config",
    ),
    ({"per_layer_config": {}}, "layer 5 has head_dim 256 in config.json, not 512"),
    (
        {"per_layer_config": {**FULL, "11": {"head_dim": 512}}},
        "layer 11 has num_key_value_heads 8 in config.json, not 2",
    ),
    (
        {"per_layer_config": None, "global_head_dim": 256, "num_global_key_value_heads": 2},
        "layer 5 has head_dim 256 in config.json, not 512",
    ),
    (
        {"per_layer_config": None, "global_head_dim": 512, "num_global_key_value_heads": 4},
        "layer 5 has num_key_value_heads 4 in config.json, not 2",
    ),
    (
        {"per_layer_config": None, "global_head_dim": 512},
        "layer 5 has num_key_value_heads 8 in config.json, not 2",
    ),
    (
        {"layer_types": ["sliding_attention"] * 29 + ["full_attention"]},
        "text_config.layer_types has full attention in layers [29], not [5, 11, 17, 23, 29]",
    ),
    (
        {"layer_types": None},
        "config.json has no text_config.layer_types, which names the layers with full attention",
    ),
    (
        {"max_position_embeddings": 8192},
        "text_config.max_position_embeddings is 8192 in config.json, less than engine.max_model_len 16384, "
        "which you can lower",
    ),
    ({"max_position_embeddings": None}, "config.json has no text_config.max_position_embeddings"),
]


@pytest.mark.parametrize(
    ("change", "problem"), FULL_ATTENTION, ids=[problem for _, problem in FULL_ATTENTION]
)
def test_full_attention_and_context_of_another_shape_are_named(change: dict[str, Any], problem: str) -> None:
    """None stands for a name that config.json leaves out."""

    def edit(content: dict[str, Any]) -> None:
        described = {**content["text_config"], **change}
        content["text_config"] = {name: value for name, value in described.items() if value is not None}

    assert checkpoint_problem(config(edit), SPEC.weight_bytes, EXPECT) == problem


@pytest.mark.parametrize("name", json.loads(EXPECT)["text_config"])
def test_a_name_that_is_left_out_is_named(name: str) -> None:
    """Its default in transformers is that of no published checkpoint, such as 30 layers of width 2304."""
    content = config(lambda content: content["text_config"].pop(name))
    value = json.loads(EXPECT)["text_config"][name]
    problem = f"config.json has no text_config.{name}, which must be {value}"
    assert checkpoint_problem(content, SPEC.weight_bytes, EXPECT) == problem


SAME = [
    config(),
    text(max_position_embeddings=LONGEST),
    config(lambda content: content.pop("dtype")),
    config(lambda content: content.update(torch_dtype="bfloat16", transformers_version="5.0.0")),
]


@pytest.mark.parametrize("content", SAME)
def test_the_same_tensors_are_taken(content: bytes) -> None:
    assert checkpoint_problem(content, SPEC.weight_bytes, EXPECT) is None


SIZE = SPEC.weight_bytes
OTHER = [
    (b"<html>", SIZE, "config.json is not the JSON object of a model"),
    (b"[]", SIZE, "config.json is not the JSON object of a model"),
    (b"\xff", SIZE, "config.json is not the JSON object of a model"),
    (
        config(lambda content: content.update(architectures=["Gemma4ForCausalLM"])),
        SIZE,
        "config.json has architectures ['Gemma4ForCausalLM'], not ['Gemma4ForConditionalGeneration']",
    ),
    (
        config(lambda content: content.pop("architectures")),
        SIZE,
        "config.json has architectures None, not ['Gemma4ForConditionalGeneration']",
    ),
    (
        config(lambda content: content.update(quantization_config={"quant_method": "fp8"})),
        SIZE // 2,
        "config.json has a quantization_config, and only unquantized bf16 weights are served",
    ),
    (
        text(quantization_config={"quant_method": "compressed-tensors"}),
        SIZE // 2,
        "config.json has a quantization_config, and only unquantized bf16 weights are served",
    ),
    (
        config(lambda content: content.update(dtype="float32")),
        2 * SIZE,
        "config.json has dtype float32, and only bfloat16 is served",
    ),
    (text(dtype="float16"), SIZE, "config.json has dtype float16, and only bfloat16 is served"),
    (text(num_hidden_layers=28), SIZE, "text_config.num_hidden_layers is 28 in config.json, not 30"),
    (text(num_experts=64), SIZE, "text_config.num_experts is 64 in config.json, not 128"),
    (text(vocab_size=262_208), SIZE, "text_config.vocab_size is 262208 in config.json, not 262144"),
    (
        config(),
        27_000_000_000,
        "its safetensors files have 27,000,000,000 bytes, not about 51,611,872,412",
    ),
    (config(), 0, "its safetensors files have 0 bytes, not about 51,611,872,412"),
]


@pytest.mark.parametrize(("content", "size", "problem"), OTHER, ids=[problem[:50] for _, _, problem in OTHER])
def test_every_other_checkpoint_is_named(content: bytes, size: int, problem: str) -> None:
    assert checkpoint_problem(content, size, EXPECT) == problem
