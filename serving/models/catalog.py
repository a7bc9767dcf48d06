"""The Gemma 4 family: shapes, weights and modalities, one row per checkpoint, with sources.

The published rows come from each checkpoint's config.json and safetensors headers, as the public repository
xbill9/gemma4-dev records them (MODELS.md, and its v6e boot logs of 2026-08 and 2026-09 for the sizes of
checkpoints). Query heads and MLP widths of E2B, E4B and 31B, and all vision towers, come from the program
that made the checkpoints (huggingface/transformers at 0f3f0632, models/gemma4/convert_gemma4_weights.py,
`_VARIANTS`). Lengths of context are those of the family's model card (ai.google.dev/gemma/docs/core,
model_card_4): 128K tokens of E2B and E4B, 256K of the others. A value that no source states is None. Sizes
are bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from serving.messages.suggest import unknown
from serving.messages.units import GIB
from serving.models.spec import Experts, Modality, ModelSpec


@dataclass(frozen=True)
class _Tower:
    """Vision tower of one width. Bytes traced through tpu-inference 0.32.0.

    `sharded` bytes are divided over the chips, without the projection to the text model's width. `copied`
    bytes are the table and norms, which every chip holds.
    """

    width: int
    sharded: int
    copied: int


_ON_DEVICE = _Tower(width=768, sharded=303_169_536, copied=31_559_680)
_LARGE = _Tower(width=1152, sharded=1_091_653_632, copied=47_447_136)


def _gemma4(
    name: str,
    hf_repo: str,
    *,
    architecture: str = "Gemma4ForConditionalGeneration",
    period: int = 6,
    kv_shared: int = 0,
    layers: int,
    hidden: int,
    query_heads: int,
    kv_heads: tuple[int, int],
    key_equals_value: bool,
    dense: int,
    experts: Experts | None = None,
    per_layer_embedding: int = 0,
    double_wide_mlp: bool = False,
    window: int,
    max_context: int,
    weights: int,
    vision: _Tower | None,
    parameters: int | None,
    modalities: tuple[Modality, ...],
) -> ModelSpec:
    return ModelSpec(
        name=name,
        hf_repo=hf_repo,
        revision=None,
        architecture=architecture,
        layers=layers,
        full_attention_period=period,
        kv_shared_layers=kv_shared,
        hidden=hidden,
        query_heads=query_heads,
        kv_heads_sliding=kv_heads[0],
        kv_heads_full=kv_heads[1],
        head_dim_sliding=256,
        head_dim_full=512,
        key_equals_value=key_equals_value,
        dense_intermediate=dense,
        experts=experts,
        per_layer_embedding=per_layer_embedding,
        double_wide_mlp=double_wide_mlp,
        sliding_window=window,
        vocabulary=262_144,
        max_context=max_context,
        weight_bytes=weights,
        vision_bytes=vision and (vision.sharded + 2 * vision.width * hidden, vision.copied),
        parameters=parameters,
        modalities=modalities,
        # An image is at most 280 soft tokens; a video of 32 frames is the largest item, and vLLM sizes its
        # budget for it whenever video is not limited to 0: "max_tokens_per_mm_item (2496) is larger than
        # max_num_batched_tokens" (vllm-project/recipes issue 441; vllm/v1/core/encoder_cache_manager.py).
        tokens_per_image=280,
        max_tokens_per_multimodal_item=2496,
    )


DEFAULT_MODEL = "gemma-4-26b-a4b-it"

_ROWS = (
    _gemma4(
        "gemma-4-e2b-it",
        "google/gemma-4-E2B-it",
        period=5,
        kv_shared=20,
        layers=35,
        hidden=1536,
        query_heads=8,
        kv_heads=(1, 1),
        key_equals_value=False,
        dense=6144,
        per_layer_embedding=256,
        double_wide_mlp=True,
        window=512,
        max_context=131_072,
        weights=int(9.54 * GIB),
        vision=_ON_DEVICE,
        parameters=None,
        modalities=("text", "image", "audio"),
    ),
    _gemma4(
        "gemma-4-e4b-it",
        "google/gemma-4-E4B-it",
        kv_shared=18,
        layers=42,
        hidden=2560,
        query_heads=8,
        kv_heads=(2, 2),
        key_equals_value=False,
        dense=10_240,
        per_layer_embedding=256,
        window=512,
        max_context=131_072,
        weights=int(14.89 * GIB),
        vision=_ON_DEVICE,
        parameters=8_000_000_000,
        modalities=("text", "image", "audio"),
    ),
    _gemma4(
        # Every 12B checkpoint declares the unified architecture, which the TPU runtime does not register.
        "gemma-4-12b-it",
        "google/gemma-4-12B-it",
        architecture="Gemma4UnifiedForConditionalGeneration",
        layers=48,
        hidden=3840,
        # The number with which the text model weighs the 22.18 GiB that a boot logged.
        query_heads=16,
        kv_heads=(8, 1),
        key_equals_value=True,
        dense=15_360,
        window=1024,
        max_context=262_144,
        weights=int(22.28 * GIB),
        vision=None,
        parameters=11_959_730_224,
        modalities=("text", "image", "audio"),
    ),
    _gemma4(
        DEFAULT_MODEL,
        "google/gemma-4-26B-A4B-it",
        layers=30,
        hidden=2816,
        query_heads=16,
        kv_heads=(8, 2),
        key_equals_value=True,
        dense=2112,
        experts=Experts(count=128, per_token=8, intermediate=704),
        window=1024,
        max_context=262_144,
        weights=51_611_872_412,
        vision=_LARGE,
        # Sources give 25.2 to 26.5 billion; the text model recomputed from these shapes has 25.2.
        parameters=None,
        modalities=("text", "image"),
    ),
    _gemma4(
        "gemma-4-31b-it",
        "google/gemma-4-31B-it",
        layers=60,
        hidden=5376,
        query_heads=32,
        kv_heads=(16, 4),
        key_equals_value=True,
        dense=21_504,
        window=1024,
        max_context=262_144,
        weights=int(58.25 * GIB),
        vision=_LARGE,
        parameters=31_000_000_000,
        modalities=("text", "image"),
    ),
    ModelSpec(
        # Random weights in the architecture of the 26B, made by local/image for the local stack.
        name="tiny-gemma4-moe",
        hf_repo="tiny-gemma4-moe",
        revision="local",
        architecture="Gemma4ForConditionalGeneration",
        layers=2,
        full_attention_period=2,
        kv_shared_layers=0,
        hidden=128,
        query_heads=8,
        kv_heads_sliding=4,
        kv_heads_full=2,
        head_dim_sliding=128,
        head_dim_full=256,
        key_equals_value=True,
        dense_intermediate=256,
        experts=Experts(count=8, per_token=2, intermediate=64),
        per_layer_embedding=0,
        double_wide_mlp=False,
        sliding_window=64,
        vocabulary=1024,
        max_context=4096,
        weight_bytes=15_682_996,
        vision_bytes=(1_769_472, 10_488_064),
        parameters=None,
        modalities=("text", "image"),
        tokens_per_image=280,
        max_tokens_per_multimodal_item=2496,
    ),
)

MODELS: Mapping[str, ModelSpec] = MappingProxyType({row.name: row for row in _ROWS})


def model(name: str) -> ModelSpec:
    """Returns the row of this name or Hugging Face repository. Raises ValueError with the known names."""
    key = name.lower()
    for row in _ROWS:
        if key in (row.name, row.hf_repo.lower()):
            return row
    raise ValueError(unknown("model", name.rpartition("/")[2], MODELS))
