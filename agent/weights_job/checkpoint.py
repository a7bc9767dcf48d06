"""Comparison of a checkpoint's files with what a plan counts on. Python 3.10, without packages."""

# pyright: basic
# config.json may hold anything.

import json
from typing import Any

SIZE_TOLERANCE = 0.1
"""Share by which a checkpoint may differ in size, such as by an output layer that it stores separately."""


def checkpoint_problem(config: bytes, weight_bytes: int, expect: str) -> str | None:
    """Returns why the files of a checkpoint are not those that a plan counts on; None when they are.

    `config` is its config.json, `weight_bytes` the size of its safetensors files, and `expect` the JSON text
    of serving/models/checkpoint.py. A name that config.json leaves out is refused: its default depends on the
    version of transformers, which itself writes all of them.
    """
    wanted: dict[str, Any] = json.loads(expect)
    try:
        given: dict[str, Any] = json.loads(config)
        text: dict[str, Any] = given.get("text_config") or {}
        quantized = "quantization_config" in given or "quantization_config" in text
        kinds = {each.get("dtype") or each.get("torch_dtype") for each in (given, text)} - {None, "bfloat16"}
    except (ValueError, AttributeError):
        return "config.json is not the JSON object of a model"
    if given.get("architectures") != wanted["architectures"]:
        return f"config.json has architectures {given.get('architectures')}, not {wanted['architectures']}"
    if quantized:
        return "config.json has a quantization_config, and only unquantized bf16 weights are served"
    if kinds:
        return f"config.json has dtype {', '.join(sorted(map(str, kinds)))}, and only bfloat16 is served"
    for name, value in wanted["text_config"].items():
        if name not in text:
            return f"config.json has no text_config.{name}, which must be {value}"
        if text[name] != value:
            return f"text_config.{name} is {text[name]} in config.json, not {value}"
    problem = full_attention_problem(text, wanted["full_attention"]) or context_problem(
        text, wanted["max_model_len"]
    )
    if problem:
        return problem
    if abs(weight_bytes - wanted["weight_bytes"]) > wanted["weight_bytes"] * SIZE_TOLERANCE:
        return f"its safetensors files have {weight_bytes:,} bytes, not about {wanted['weight_bytes']:,}"
    return None


def full_attention_problem(text: dict[str, Any], wanted: dict[str, Any]) -> str | None:
    """Returns why the layers that attend to all tokens are not the `wanted` ones; None when they are.

    Published checkpoints state their shape in `global_head_dim` and `num_global_key_value_heads`;
    transformers 5.19 writes `per_layer_config` instead. Heads that a checkpoint does not state, or states as
    null, are `num_key_value_heads`, and so they are without `attention_k_eq_v`.
    """
    kinds = text.get("layer_types")
    if not isinstance(kinds, list):
        return "config.json has no text_config.layer_types, which names the layers with full attention"
    layers = [number for number, kind in enumerate(kinds) if kind == "full_attention"]
    if layers != wanted["layers"]:
        return f"text_config.layer_types has full attention in layers {layers}, not {wanted['layers']}"
    each = text.get("per_layer_config")
    if not isinstance(each, dict):
        if "global_head_dim" not in text:
            return "config.json has no text_config.global_head_dim and no text_config.per_layer_config"
        heads = text.get("num_global_key_value_heads") if text.get("attention_k_eq_v") else None
        shape = {"head_dim": text["global_head_dim"], "num_key_value_heads": heads}
        each = {str(layer): shape for layer in layers}
    for layer in layers:
        shape = each.get(str(layer)) or {}
        for name in ("head_dim", "num_key_value_heads"):
            value = shape.get(name)
            value = text.get(name) if value is None else value
            if value != wanted[name]:
                return f"layer {layer} has {name} {value} in config.json, not {wanted[name]}"
    return None


def context_problem(text: dict[str, Any], max_model_len: int) -> str | None:
    """Returns why the checkpoint cannot take requests of `max_model_len` tokens; None when it can."""
    context = text.get("max_position_embeddings")
    if not isinstance(context, int):
        return "config.json has no text_config.max_position_embeddings"
    if context < max_model_len:
        return (
            f"text_config.max_position_embeddings is {context} in config.json, less than "
            f"engine.max_model_len {max_model_len}, which you can lower"
        )
    return None
