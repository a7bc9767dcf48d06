"""Checkpoints of a known architecture from a repository of the user, and what their files must be.

A plan counts on the shapes of a row of the model table: memory, programs, proof and findings follow from
them. So a checkpoint has to have the row's tensors in bf16. Nothing can look into its repository before it
is there; the weights Job and the boot of a TPU VM compare its config.json with `expectation` before they
copy the weights.

tpu-inference 0.32 also loads fp8, mxfp4 and compressed-tensors checkpoints for JAX models
(tpu_inference/layers/jax/ quantization/__init__.py, `get_tpu_quantization_config`). They are refused,
because no proof and no measured boot states what they take on a chip.
"""

import json
from dataclasses import replace
from typing import Any

from serving.models.catalog import model
from serving.models.spec import ModelSpec


def checkpoint_spec(architecture: str, repository: str, revision: str) -> ModelSpec:
    """Returns the row of the table `architecture`, with its weights from `repository` at `revision`.

    Raises ValueError for an architecture that is not in the table or is in no repository.
    """
    row = model(architecture)
    if row.revision == "local":
        raise ValueError(
            f"model.architecture is {row.name}, which is made on the local machine and has no published "
            "checkpoints; choose a model of the Gemma family."
        )
    return replace(row, hf_repo=repository, revision=revision)


def expectation(spec: ModelSpec, max_model_len: int) -> str:
    """Returns what `agent.weights_job.checkpoint.checkpoint_problem` compares a checkpoint with, as JSON.

    Names of `text_config` are those of Gemma 4's configuration (transformers 5.19, models/gemma4/
    configuration_gemma4.py), which writes each of them into a config.json. `full_attention` has the layers
    that attend to all tokens, and their shape, which a config.json states in one of two forms. A width that
    no source states is not compared. `max_model_len` is the longest request of the engine: vLLM refuses to
    boot with one beyond `max_position_embeddings` (vllm/config/model.py, `_get_and_verify_max_len`).
    """
    text: dict[str, Any] = {
        "num_hidden_layers": spec.layers,
        "num_kv_shared_layers": spec.kv_shared_layers,
        "hidden_size": spec.hidden,
        "hidden_size_per_layer_input": spec.per_layer_embedding,
        "intermediate_size": spec.dense_intermediate,
        "use_double_wide_mlp": spec.double_wide_mlp,
        "num_attention_heads": spec.query_heads,
        "num_key_value_heads": spec.kv_heads_sliding,
        "head_dim": spec.head_dim_sliding,
        "attention_k_eq_v": spec.key_equals_value,
        "sliding_window": spec.sliding_window,
        "vocab_size": spec.vocabulary,
        "enable_moe_block": spec.experts is not None,
        "num_experts": spec.experts.count if spec.experts else None,
        "top_k_experts": spec.experts.per_token if spec.experts else None,
        "moe_intermediate_size": spec.experts.intermediate if spec.experts else None,
    }
    known = {name: value for name, value in text.items() if value is not None}
    period = spec.full_attention_period
    content = {
        "model": spec.name,
        "weight_bytes": spec.weight_bytes,
        "architectures": [spec.architecture],
        "text_config": known,
        "full_attention": {
            "layers": list(range(period - 1, spec.layers, period)),
            "head_dim": spec.head_dim_full,
            "num_key_value_heads": spec.kv_heads_full,
        },
        "max_model_len": max_model_len,
    }
    return json.dumps(content, separators=(",", ":"))
