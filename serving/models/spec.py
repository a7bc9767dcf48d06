"""What is known of one checkpoint: shapes, weights, modalities."""

from dataclasses import dataclass
from typing import Literal

Modality = Literal["text", "image", "audio"]


@dataclass(frozen=True)
class Experts:
    """A layer's expert bank: `count` experts of width `intermediate`, `per_token` of them used."""

    count: int
    per_token: int
    intermediate: int


@dataclass(frozen=True)
class ModelSpec:
    """One checkpoint.

    Layers: every `full_attention_period`-th one attends to everything, the others to `sliding_window`
    tokens; the last `kv_shared_layers` read another layer's cache and own none, and where `double_wide_mlp`
    have an MLP of twice the width. `modalities` is what the
    checkpoint can take in, not what the TPU runtime serves. `weight_bytes` is the size of the safetensors
    files (to a hundredth of a GiB where a boot log is the source). `vision_bytes` is the vision tower in
    HBM: bytes shared out over the chips, and bytes that every chip holds. `parameters` counts all weights.
    `architecture` is config.json's. `revision` is the commit that deployments pin; None means that the
    stack must name one.
    """

    name: str
    hf_repo: str
    revision: str | None
    architecture: str
    layers: int
    full_attention_period: int
    kv_shared_layers: int
    hidden: int
    query_heads: int | None
    kv_heads_sliding: int
    kv_heads_full: int
    head_dim_sliding: int
    head_dim_full: int
    key_equals_value: bool
    dense_intermediate: int | None
    experts: Experts | None
    per_layer_embedding: int
    double_wide_mlp: bool
    sliding_window: int
    vocabulary: int
    max_context: int | None
    weight_bytes: int
    vision_bytes: tuple[int, int] | None
    parameters: int | None
    modalities: tuple[Modality, ...]
    tokens_per_image: int
    max_tokens_per_multimodal_item: int

    @property
    def kv_layers(self) -> tuple[Literal["sliding", "full"], ...]:
        """The kind of each layer that owns a KV cache, in order."""
        period = self.full_attention_period
        owning = range(self.layers - self.kv_shared_layers)
        return tuple("full" if i % period == period - 1 else "sliding" for i in owning)

    @property
    def takes_images(self) -> bool:
        return "image" in self.modalities

    def required(self, field: str, purpose: str) -> int:
        """The value of a field that may be unknown. Raises ValueError naming it and what needed it."""
        value = getattr(self, field)
        if value is None:
            raise ValueError(
                f"{purpose} needs {field.replace('_', ' ')} of {self.name}, which no public source "
                f"states; choose another model, or add the number with its source to "
                f"serving/models/catalog.py."
            )
        return value
