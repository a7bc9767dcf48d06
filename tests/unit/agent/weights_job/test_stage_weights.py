"""The comparison of a user's checkpoint with the model table, before its weights are copied."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from agent.weights_job.stage_weights import checkpoint_problem
from proof.checkpoint import text_configuration
from serving.models.catalog import MODELS, model
from serving.models.checkpoint import expectation

SPEC = model("gemma-4-26b-a4b-it")
EXPECT = expectation(SPEC)


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


@pytest.mark.parametrize("name", [name for name, row in MODELS.items() if row.query_heads is not None])
def test_a_checkpoint_of_each_row_is_what_is_expected(name: str) -> None:
    spec = MODELS[name]
    described = text_configuration(spec)
    content = {"architectures": [spec.architecture], "text_config": described}
    compared = json.loads(expectation(spec))["text_config"]
    # A name that the configuration never has would never be compared.
    experts = {"num_experts", "top_k_experts", "moe_intermediate_size"} if spec.experts else set[str]()
    assert set(compared) <= set(described)
    assert experts <= set(compared)
    assert checkpoint_problem(json.dumps(content).encode(), spec.weight_bytes, expectation(spec)) is None


SAME = [
    config(),
    # transformers leaves out what equals a default.
    config(lambda content: content["text_config"].pop("num_hidden_layers")),
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
