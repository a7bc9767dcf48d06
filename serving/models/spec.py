"""Type of one checkpoint's row: shapes, weights, modalities."""

from dataclasses import dataclass
from typing import Literal

Modality = Literal["text", "image", "audio"]

CodePath = Literal["Gemma4ForConditionalGeneration", "Gemma4ForCausalLM", "torchax"]
"""Code that runs a model: a JAX class of tpu-inference with or without a vision tower, or vLLM's PyTorch code
through torchax, whose weights and programs are not modeled here."""


class NotStated(ValueError):
    """A number of a model that no public source states; its text says which, and what needs it."""


@dataclass(frozen=True)
class Experts:
    """Experts of one layer: `count` experts of width `intermediate`, of which a token uses `per_token`."""

    count: int
    per_token: int
    intermediate: int


@dataclass(frozen=True)
class ModelSpec:
    """One checkpoint.

    None means that no public source states the value; for `revision`, that the stack must set it.
    """

    name: str
    hf_repo: str
    revision: str | None
    """Commit of `hf_repo`."""
    architecture: str
    """First entry of `architectures` in config.json."""
    layers: int
    full_attention_period: int
    """One layer in this many attends to all tokens, the others to `sliding_window` tokens."""
    kv_shared_layers: int
    """Last layers, which read another layer's KV cache and have none of their own."""
    hidden: int
    query_heads: int
    kv_heads_sliding: int
    kv_heads_full: int
    head_dim_sliding: int
    head_dim_full: int
    key_equals_value: bool
    dense_intermediate: int
    experts: Experts | None
    per_layer_embedding: int
    double_wide_mlp: bool
    """True if the MLP of the last `kv_shared_layers` has twice the width."""
    sliding_window: int
    vocabulary: int
    max_context: int
    """Longest request in tokens, `max_position_embeddings`."""
    weight_bytes: int
    """Size of the safetensors files; to a hundredth of a GiB if a boot log is the source."""
    vision_bytes: tuple[int, int] | None
    """Vision tower in HBM: bytes divided over the chips, and bytes that every chip holds."""
    parameters: int | None
    """Number of all weights."""
    modalities: tuple[Modality, ...]
    """Inputs of the checkpoint; the TPU runtime serves some of them."""
    tokens_per_image: int
    max_tokens_per_multimodal_item: int

    @property
    def kv_layers(self) -> tuple[Literal["sliding", "full"], ...]:
        """Kind of each layer with a KV cache of its own, in order."""
        period = self.full_attention_period
        owning = range(self.layers - self.kv_shared_layers)
        return tuple("full" if i % period == period - 1 else "sliding" for i in owning)

    @property
    def takes_images(self) -> bool:
        """True if the checkpoint takes images."""
        return "image" in self.modalities
