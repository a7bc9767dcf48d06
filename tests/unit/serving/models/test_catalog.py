"""The model table: layer kinds, unknown numbers that refuse, and the tiny model that local/ makes."""

import ast
from pathlib import Path

import pytest

from serving.models.catalog import MODELS, model

# Layers that own a KV cache, (sliding, full), as the checkpoints' public descriptions have them.
KV_LAYERS = {
    "gemma-4-e2b-it": (12, 3),
    "gemma-4-e4b-it": (20, 4),
    "gemma-4-12b-it": (40, 8),
    "gemma-4-26b-a4b-it": (25, 5),
    "gemma-4-31b-it": (50, 10),
    "tiny-gemma4-moe": (1, 1),
}


@pytest.mark.parametrize("name", MODELS)
def test_layers_that_own_a_cache_by_kind(name: str) -> None:
    kinds = model(name).kv_layers
    assert (kinds.count("sliding"), kinds.count("full")) == KV_LAYERS[name]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_found_by_its_name_and_by_its_repository(name: str) -> None:
    row = model(name)
    assert model(row.hf_repo) is row
    assert model(row.hf_repo.upper()) is row


def test_the_tiny_model_has_the_shapes_that_local_writes() -> None:
    """Read from the script's source, because only the server's own Python can run it."""
    file = Path(__file__).parents[4] / "local" / "image" / "make_tiny_model.py"
    tree = ast.parse(file.read_text("utf-8"))
    made = {
        node.targets[0].id: {
            key.value: value.value
            for key, value in zip(node.value.keys, node.value.values, strict=True)
            if isinstance(key, ast.Constant) and isinstance(value, ast.Constant)
        }
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Dict)
    }
    text, vision, tiny = made["text"], made["vision"], model("tiny-gemma4-moe")
    assert tiny.experts is not None
    assert (
        text["num_hidden_layers"],
        text["hidden_size"],
        text["num_attention_heads"],
        text["num_key_value_heads"],
        text["num_global_key_value_heads"],
        text["head_dim"],
        text["global_head_dim"],
        text["intermediate_size"],
        text["num_experts"],
        text["top_k_experts"],
        text["moe_intermediate_size"],
        text["sliding_window"],
        text["max_position_embeddings"],
        vision["default_output_length"],
    ) == (
        tiny.layers,
        tiny.hidden,
        tiny.query_heads,
        tiny.kv_heads_sliding,
        tiny.kv_heads_full,
        tiny.head_dim_sliding,
        tiny.head_dim_full,
        tiny.dense_intermediate,
        tiny.experts.count,
        tiny.experts.per_token,
        tiny.experts.intermediate,
        tiny.sliding_window,
        tiny.max_context,
        tiny.tokens_per_image,
    )
