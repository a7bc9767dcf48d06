"""Layout of the KV cache in the TPU runtime: bytes of a page, number of pages, tokens.

Repeats tpu_inference 0.32.0 (`get_padded_num_heads`, `get_padded_head_dim`, `get_kv_cache_shape` of the
ragged paged attention kernels) and vLLM's planning of one group of pages (`get_kv_cache_configs`,
`get_kv_cache_capacity`). Every layer with a cache of its own stores every token: the runtime does not use the
sliding window for models with two head sizes.
"""

from dataclasses import dataclass

from serving.models.spec import ModelSpec

NARROW_HEAD = 64
"""Width of the heads that have a separate kernel, which stores K and V side by side."""


class Indivisible(ValueError):
    """A number of chips over which a part of the model cannot be divided; `truth` says which part."""

    def __init__(self, chips: int, truth: str) -> None:
        self.truth = truth
        super().__init__(f"engine.tensor_parallel_size is {chips}: {truth}; choose another number of chips.")


def padded_heads(heads: int, chips: int) -> int:
    """Returns KV heads after padding to the chips. Raises Indivisible when neither divides the other."""
    larger, smaller = max(heads, chips), min(heads, chips)
    if larger % smaller:
        raise Indivisible(chips, f"a layer has {heads} KV heads, and one of the two must divide the other")
    return larger


def layer_bytes(heads: int, head_dim: int, bits: int, chips: int) -> int:
    """Returns the bytes of one token in one layer on one chip. `bits` of a cached value are 8, 16 or 32."""
    packing = 32 // bits
    local = padded_heads(heads, chips) // chips
    if head_dim == NARROW_HEAD:
        rows, width = -(-local // packing) * packing, 2 * NARROW_HEAD
    else:
        rows, width = -(-2 * local // packing) * packing, -(-head_dim // 128) * 128
    return rows * width * bits // 8


def token_bytes(model: ModelSpec, bits: int, chips: int) -> int:
    """Returns the bytes of one token in all layers on one chip."""
    heads = {"sliding": model.kv_heads_sliding, "full": model.kv_heads_full}
    widths = {"sliding": model.head_dim_sliding, "full": model.head_dim_full}
    return sum(layer_bytes(heads[kind], widths[kind], bits, chips) for kind in model.kv_layers)


@dataclass(frozen=True)
class Pool:
    """Pages of one server. `page_bytes` are a page's bytes on all chips together; lengths in tokens."""

    pages: int
    page_bytes: int
    block_size: int
    max_model_len: int

    @property
    def pages_per_request(self) -> int:
        """Pages of one request at max_model_len."""
        return -(-self.max_model_len // self.block_size)

    @property
    def tokens(self) -> int:
        """Tokens that the server logs as "KV cache size"."""
        return int(self.pages / self.pages_per_request * self.max_model_len)

    @property
    def concurrency(self) -> float:
        """Requests at max_model_len that fit at once, as logged."""
        return self.pages / self.pages_per_request

    @property
    def serves_one(self) -> bool:
        """True if one request at max_model_len fits; the pool reserves one page."""
        return self.pages - 1 >= self.pages_per_request

    def resident_requests(self, length: int) -> int:
        """Returns how many requests of `length` tokens, prompt and answer, fit at once."""
        return max(0, self.pages - 1) // max(1, -(-length // self.block_size))


def page_count(room: int, page_bytes: int, override: int | None = None) -> int:
    """Returns the pages that fit into `room` bytes of all chips together, or `override` if it is set."""
    return max(0, room) // page_bytes if override is None else override


def pool(
    model: ModelSpec,
    *,
    bits: int,
    chips: int,
    block_size: int,
    max_model_len: int,
    room: int,
    override: int | None = None,
) -> Pool:
    """Returns the pool of `model` in `room` bytes of all chips together, or with `override` pages."""
    page_bytes = token_bytes(model, bits, chips) * block_size * chips
    return Pool(page_count(room, page_bytes, override), page_bytes, block_size, max_model_len)
