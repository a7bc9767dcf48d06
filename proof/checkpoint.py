"""A model's folder without weights: config.json from serving/models/catalog.py, and any Gemma 4 tokenizer.

No program depends on the files of the tokenizer or of the image processor, but vLLM needs them to exist.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from proof.environment import ProofError
from proof.work_folder import write_whole
from serving.models.spec import ModelSpec

_VISION_DEFAULTS: Mapping[str, Any] = {
    "model_type": "gemma4_vision",
    "patch_size": 16,
    "pooling_kernel_size": 3,
    "position_embedding_size": 10_240,
    "default_output_length": 280,
    "dtype": "bfloat16",
}
_ON_DEVICE: Mapping[str, Any] = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 16,
    "num_attention_heads": 12,
    "num_key_value_heads": 12,
    "head_dim": 64,
    "use_clipped_linears": True,
}
_LARGE: Mapping[str, Any] = {
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "head_dim": 72,
    "standardize": True,
}
_VISION: Mapping[str, Mapping[str, Any]] = {
    "gemma-4-e2b-it": _ON_DEVICE,
    "gemma-4-e4b-it": _ON_DEVICE,
    "gemma-4-26b-a4b-it": _LARGE,
    "gemma-4-31b-it": _LARGE,
}
"""Vision towers, from the program that made the checkpoints (serving/models/catalog.py names it)."""


def text_configuration(model: ModelSpec) -> dict[str, Any]:
    """Returns the `text_config` of config.json."""
    period = model.full_attention_period
    kinds = ["full" if layer % period == period - 1 else "sliding" for layer in range(model.layers)]
    text: dict[str, Any] = {
        "model_type": "gemma4_text",
        "dtype": "bfloat16",
        "vocab_size": model.vocabulary,
        "vocab_size_per_layer_input": model.vocabulary,
        "hidden_size": model.hidden,
        "hidden_size_per_layer_input": model.per_layer_embedding,
        "intermediate_size": model.dense_intermediate,
        "num_hidden_layers": model.layers,
        "num_kv_shared_layers": model.kv_shared_layers,
        "layer_types": [f"{kind}_attention" for kind in kinds],
        "sliding_window": model.sliding_window,
        "num_attention_heads": model.query_heads,
        "num_key_value_heads": model.kv_heads_sliding,
        "head_dim": model.head_dim_sliding,
        "per_layer_config": {
            str(layer): {"head_dim": model.head_dim_full, "num_key_value_heads": model.kv_heads_full}
            for layer, kind in enumerate(kinds)
            if kind == "full"
        },
        "attention_k_eq_v": model.key_equals_value,
        "enable_moe_block": model.experts is not None,
        "max_position_embeddings": model.max_context,
        "final_logit_softcapping": 30.0,
        "use_bidirectional_attention": "vision" if _VISION.get(model.name) is _LARGE else None,
        "use_double_wide_mlp": model.double_wide_mlp,
        "tie_word_embeddings": True,
        "rope_parameters": {
            "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
            "full_attention": {
                "rope_type": "proportional",
                "partial_rotary_factor": 0.25,
                "rope_theta": 1_000_000.0,
            },
        },
    }
    if model.experts:
        text |= {
            "num_experts": model.experts.count,
            "top_k_experts": model.experts.per_token,
            "moe_intermediate_size": model.experts.intermediate,
        }
    return text


def configuration(model: ModelSpec, files: Path, given: Path | None) -> str:
    """Returns the text of config.json: that of the file `given`, or one made from the catalog.

    Raises ProofError when the catalog lacks a shape, `given` cannot be read, or `files` has no tokenizer.
    """
    example = files / "config.json"
    if not example.is_file() or not (files / "tokenizer_config.json").is_file():
        raise ProofError(
            f"{files} has no config.json or no tokenizer_config.json: pass a folder of any Gemma 4 "
            "checkpoint with --files; its weights are not read."
        )
    if given is not None:
        return _given(given)
    text = text_configuration(model)
    if model.name not in _VISION:
        raise ProofError(
            f"A proof needs the shapes of {model.name}'s vision tower, which no public source states: pass "
            "the checkpoint's config.json with --config, or prove another model."
        )
    # The ids of special tokens come from `files`; they shape no program.
    content = json.loads(example.read_text("utf-8"))
    special = {
        name: content["text_config"].get(name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")
    }
    content["text_config"] = special | text
    content["vision_config"] = {**_VISION_DEFAULTS, **_VISION[model.name]}
    return json.dumps(content, indent=1)


def _given(file: Path) -> str:
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        raise ProofError(
            f"{file} cannot be read ({error.strerror}): name a checkpoint's config.json."
        ) from None
    try:
        json.loads(text)
    except ValueError as error:
        raise ProofError(f"{file} is not valid JSON ({error}): name a checkpoint's config.json.") from None
    return text


def write(configuration: str, files: Path, folder: Path) -> None:
    """Writes into `folder` this config.json, and the tokenizer and processor of `files`."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in files.iterdir():
        if file.suffix in (".json", ".jinja", ".model") and file.name != "config.json":
            shutil.copy(file, folder)
    write_whole(folder / "config.json", configuration)
