"""Work of the ragged paged attention kernel for one request in one step, as the kernel's blocks make it.

The kernel computes whole blocks. On v6e a decoding request takes one block of up to 16,384 cached tokens
whatever its length, and a sliding window begins at the start of a block. So a short request costs as much
arithmetic as a long one, and a sliding window saves little while a request decodes. Block sizes are those of
tpu-inference 0.32.0 (kernels/ragged_paged_attention/v3/kernel.py, `get_default_block_sizes`, and the loops of
`_ragged_paged_attention_kernel_loop`); tests/vllm/test_planner.py compares them with the original.
"""

from dataclasses import dataclass
from functools import cache

from serving.memory.kv_cache import padded_heads
from serving.models.spec import ModelSpec

MATRIX_ROWS = 256
"""Rows of a v6e matrix unit (cloud.google.com/tpu/docs/v6e: 256x256). A product with fewer rows takes the
time of this many, because each tile of the other operand is loaded once for any number of rows."""

_DECODE_BYTES = 16 * 1024 * 1024
"""Bytes of a block of cached tokens of a decoding request, before padding (`min_bkv_sz_to_peak`)."""
_PREFILL_KEYS = 1024
_PREFILL_KEYS_COMPUTED = 512
"""Cached tokens that a prefill reads and computes at a time."""
_PREFILL_ROWS = 1024
"""Rows of a block of queries: tokens times the query heads of one KV head."""


@dataclass(frozen=True)
class Work:
    """Arithmetic (with padding to the matrix unit) and bytes of the KV cache, both on one chip."""

    flops: float
    bytes: float

    def __add__(self, other: "Work") -> "Work":
        return Work(self.flops + other.flops, self.bytes + other.bytes)


@dataclass(frozen=True)
class Layer:
    """Layers of one kind on one chip. `window` is None for layers that attend to all tokens."""

    count: int
    query_heads: int
    kv_heads: int
    head_dim: int
    window: int | None
    value_bytes: int
    """Bytes of a cached value."""

    @property
    def group(self) -> int:
        """Query heads of one KV head."""
        return _power_of_two(max(1, self.query_heads // self.kv_heads))

    @property
    def token_bytes(self) -> int:
        """Bytes of a token's keys and values."""
        return 2 * self.kv_heads * self.head_dim * self.value_bytes


def layers(model: ModelSpec, kv_bits: int, chips: int) -> tuple[Layer, ...]:
    """Returns the sliding and the full layers; a layer that reads another layer's cache counts as any other.

    Raises Indivisible when the KV heads do not divide by the chips.
    """
    full = model.layers // model.full_attention_period
    kinds = (
        (model.layers - full, model.kv_heads_sliding, model.head_dim_sliding, model.sliding_window),
        (full, model.kv_heads_full, model.head_dim_full, None),
    )
    return tuple(
        Layer(
            count=count,
            query_heads=max(1, model.query_heads // chips),
            kv_heads=padded_heads(kv_heads, chips) // chips,
            head_dim=-(-head_dim // 128) * 128,
            window=window,
            value_bytes=kv_bits // 8,
        )
        for count, kv_heads, head_dim, window in kinds
    )


def decode_block(layer: Layer, longest: int, page: int) -> int:
    """Returns the cached tokens that a decoding request computes at once; `longest` is max_model_len."""
    packing = 4 // layer.value_bytes
    rows = _power_of_two(-(-2 * layer.kv_heads // packing) * packing)
    block = min(_DECODE_BYTES * packing // 4 // layer.head_dim // rows, -(-longest // page) * page)
    return -(-block // page) * page


def blocks(layer: Layer, longest: int, page: int) -> tuple[int, int, int, int]:
    """Returns the cached tokens of a decoding block, and rows, tokens read and computed of a prefill's."""
    rows = max(1, _PREFILL_ROWS // layer.group)
    return decode_block(layer, longest, page), rows, _PREFILL_KEYS, _PREFILL_KEYS_COMPUTED


def decode(layer: Layer, cached: int, longest: int, page: int) -> Work:
    """Returns the work of one new token after `cached` tokens, in all layers of the kind."""
    block = decode_block(layer, longest, page)
    length = cached + 1
    start = 0 if layer.window is None else max(0, cached - layer.window) // block * block
    blocks = -(-(length - start) // block)
    return Work(
        flops=4.0 * layer.count * layer.kv_heads * MATRIX_ROWS * layer.head_dim * block * blocks,
        bytes=float(layer.count * (length - start) * layer.token_bytes),
    )


@cache
def decode_table(layers: tuple[Layer, ...], longest: int, page: int) -> tuple[Work, ...]:
    """Returns the work of one new token in all layers, by the number of cached tokens before it."""
    nothing, positions = Work(0, 0), range(longest + 1)
    return tuple(
        sum((decode(layer, cached, longest, page) for layer in layers), nothing) for cached in positions
    )


@cache
def prefill(layer: Layer, tokens: int, cached: int) -> Work:
    """Returns the work of `tokens` new tokens after `cached` tokens, in all layers of the kind."""
    rows = max(1, _PREFILL_ROWS // layer.group)
    computed = read = 0
    for first in range(cached, cached + tokens, rows):
        start = 0 if layer.window is None else max(0, first - layer.window) // _PREFILL_KEYS * _PREFILL_KEYS
        keys = min(first + rows, cached + tokens) - start
        computed += -(-keys // _PREFILL_KEYS_COMPUTED) * _PREFILL_KEYS_COMPUTED
        read += keys
    heads = layer.kv_heads * layer.group
    return Work(
        flops=4.0 * layer.count * heads * layer.head_dim * rows * computed,
        bytes=float(layer.count * read * layer.token_bytes),
    )


def _power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()
