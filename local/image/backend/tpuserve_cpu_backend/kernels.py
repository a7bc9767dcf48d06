"""Plain JAX versions of three TPU kernels: correct and slow, with the kernels' own signatures.

Arguments that only tune the kernels (block sizes, memory limits, tiles) are accepted and ignored. Arguments
that would change the result and are not implemented here raise NotImplementedError.
"""

from typing import Any

import jax
import jax.numpy as jnp
from tokamax._src.ops.experimental.gmm_v2 import gmm_v2 as tokamax_gmm
from tpu_inference.kernels.ragged_paged_attention.v3.kernel import merge_kv

MASKED = -1e30
"""Score of a masked key; finite, because the softmax of a row of -inf is undefined."""

BLOCK_TOKENS = 128
"""Cached tokens that attention reads at once, in whole pages."""


def ragged_paged_attention(
    queries: jax.Array,
    keys: jax.Array,
    values: jax.Array,
    kv_cache: jax.Array,
    kv_lens: jax.Array,
    page_indices: jax.Array,
    cu_q_lens: jax.Array,
    distribution: jax.Array,
    *,
    use_causal_mask: bool = True,
    update_kv_cache: bool = True,
    sm_scale: float = 1.0,
    sliding_window: int | None = None,
    soft_cap: float | None = None,
    q_scale: float | None = None,
    k_scale: float | None = None,
    v_scale: float | None = None,
    **_tuning: Any,
) -> tuple[jax.Array, jax.Array]:
    """Stand-in for tpu_inference.kernels.ragged_paged_attention.v3.kernel.ragged_paged_attention.

    Shapes, with T tokens (padded), S request slots (padded), n live requests:
    queries [T, q heads, head dim]; keys, values [T, KV heads, head dim] in the cache's type;
    kv_cache [pages, page size, 2 * KV heads / packing, packing, head dim padded to 128], K and V of a head
    beside each other; kv_lens i32[S]; page_indices i32[S * pages a request]; cu_q_lens i32[S + 1];
    distribution i32[3], its last the live requests. Returns the output [T, q heads, head dim] in the queries'
    type, zero for padding, and the cache with this step's keys and values written.

    Checked against the library's own `ref_ragged_paged_attention`: cache bit-equal, outputs close, for bf16
    and fp8 caches, sliding windows, soft caps, mixed prefill and decode, padded requests.
    """
    if q_scale is not None:
        raise NotImplementedError(
            "the CPU version of this kernel has no quantized queries (q_scale): leave queries in bfloat16"
        )
    tokens, query_heads, head_dim = queries.shape
    kv_heads = keys.shape[1]
    pages, page_size, *_, padded_dim = kv_cache.shape
    slots = kv_lens.shape[0]
    pages_per_request = page_indices.shape[0] // slots
    span = pages_per_request * page_size
    live = distribution[2]

    # The request of each token: the number of live requests that end at or before it. Entries of cu_q_lens
    # beyond the live requests are undefined.
    ends = jnp.where(jnp.arange(1, slots + 1) <= live, cu_q_lens[1:], jnp.iinfo(jnp.int32).max)
    token = jnp.arange(tokens)
    request = jnp.sum(token[:, None] >= ends[None, :], axis=1)
    valid = request < live
    request = jnp.minimum(request, slots - 1)
    start = cu_q_lens[request]
    position = kv_lens[request] - (cu_q_lens[request + 1] - start) + token - start
    position = jnp.clip(position, 0, span - 1)

    cache = kv_cache.reshape(pages * page_size, *kv_cache.shape[2:])
    if update_kv_cache:
        page = page_indices[request * pages_per_request + position // page_size]
        row = jnp.where(valid, page * page_size + position % page_size, cache.shape[0])
        cache = cache.at[row].set(merge_kv(keys, values), mode="drop")

    # A request has room for the longest context, most of it empty: blocks beyond its length are not read.
    pages_per_block = max(1, BLOCK_TOKENS // page_size)
    block = pages_per_block * page_size
    table = page_indices.reshape(slots, pages_per_request)
    table = jnp.pad(table, ((0, 0), (0, -pages_per_request % pages_per_block)))
    in_pages = cache.reshape(pages, page_size, -1, padded_dim)
    scale = sm_scale if k_scale is None else sm_scale * k_scale
    group = (kv_heads, query_heads // kv_heads)

    def one_token(query: jax.Array, of: jax.Array, at: jax.Array) -> jax.Array:
        grouped = query.astype(jnp.float32).reshape(*group, head_dim)
        first, end = jnp.int32(0), kv_lens[of]
        if use_causal_mask:
            end = jnp.minimum(end, at + 1)
            if sliding_window is not None:
                first = jnp.maximum(0, end - sliding_window)

        def add(number: jax.Array, state: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
            """Adds a block of keys to a softmax whose largest score is not known yet."""
            largest, total, sums = state
            pages_of_block = jax.lax.dynamic_slice(table[of], (number * pages_per_block,), (pages_per_block,))
            context = in_pages[pages_of_block].reshape(block, -1, padded_dim)
            context = context[:, : kv_heads * 2, :head_dim].astype(jnp.float32)
            key, value = context[:, 0::2], context[:, 1::2]
            score = jnp.einsum("kgd,lkd->kgl", grouped, key) * scale
            if soft_cap is not None:
                score = soft_cap * jnp.tanh(score / soft_cap)
            key_position = number * block + jnp.arange(block)
            visible = (first <= key_position) & (key_position < end)
            score = jnp.where(visible, score, MASKED)
            larger = jnp.maximum(largest, score.max(axis=-1))
            kept = jnp.exp(largest - larger)
            weight = jnp.where(visible, jnp.exp(score - larger[..., None]), 0)
            # What is not visible may hold old values, which must be cleared: zero times NaN is NaN.
            seen_value = jnp.where(visible[:, None, None], value, 0)
            added = jnp.einsum("kgl,lkd->kgd", weight, seen_value)
            return larger, total * kept + weight.sum(axis=-1), sums * kept[..., None] + added

        nothing = (jnp.full(group, MASKED), jnp.zeros(group), jnp.zeros((*group, head_dim)))
        _, total, sums = jax.lax.fori_loop(first // block, (end + block - 1) // block, add, nothing)
        return (sums / total[..., None]).reshape(query_heads, head_dim)

    # A bucket is mostly padding while few requests run: the loop ends with the last live token.
    output = jax.lax.fori_loop(
        0,
        cu_q_lens[live],
        lambda at, done: done.at[at].set(one_token(queries[at], request[at], position[at])),
        jnp.zeros(queries.shape, jnp.float32),
    )
    if v_scale is not None:
        output = output * v_scale
    output = jnp.where(valid[:, None, None], output, 0).astype(queries.dtype)
    return output, cache.reshape(kv_cache.shape)


def grouped_matmul(
    lhs: jax.Array,
    rhs: jax.Array,
    group_sizes: jax.Array,
    rhs_scale: jax.Array | None = None,
    rhs_bias: jax.Array | None = None,
    group_offset: jax.Array | None = None,
    *,
    fuse_act: str | None = None,
    preferred_element_type: Any = None,
    **_tuning: Any,
) -> jax.Array:
    """Stand-in for tokamax's gmm_v2: rows of each group times that group's matrix.

    lhs [m, k]; rhs [local groups, k, n]; group_sizes i32[all groups], summing to at most m. With
    `group_offset` the matrices are those of the groups from it on (expert parallel); rows of other groups
    come out as zero. Returns [m, n], or [m, n / 2] with a fused gated activation.

    Checked against tokamax's `reference_gmm`, with uneven and empty groups and with an offset, and the
    activation against tokamax's own `apply_act_fn`.
    """
    if rhs_scale is not None or rhs_bias is not None:
        raise NotImplementedError(
            "the CPU version of this kernel has no quantized or biased experts: unset "
            "MOE_REQUANTIZE_WEIGHT_DTYPE"
        )
    local, offset = rhs.shape[0], 0 if group_offset is None else jnp.reshape(group_offset, ())
    group = jnp.arange(group_sizes.shape[0])
    before = jnp.sum(jnp.where(group < offset, group_sizes, 0))
    local_sizes = jax.lax.dynamic_slice(jnp.pad(group_sizes, (0, local)), (offset,), (local,))
    # Rows before this shard's groups go through a zero matrix; rows after them belong to no group.
    sizes = jnp.concatenate([before[None], local_sizes]).astype(jnp.int32)
    matrices = jnp.concatenate([jnp.zeros_like(rhs[:1]), rhs])
    product = jax.lax.ragged_dot(lhs, matrices, sizes, preferred_element_type=jnp.float32)
    # The kernel interleaves gate and up so that they meet in one tile; rhs itself holds them as two halves.
    if fuse_act is not None:
        product = gated(product, fuse_act)
    row = jnp.arange(lhs.shape[0])[:, None]
    product = jnp.where((row >= before) & (row < before + jnp.sum(local_sizes)), product, 0)
    return product.astype(preferred_element_type or lhs.dtype)


def gated(product: jax.Array, activation: str) -> jax.Array:
    """Returns `activation` of the first half of the last axis times the second half, by tokamax's
    functions."""
    gate, up = jnp.split(product, 2, axis=-1)
    match activation:
        case "silu":
            return jax.nn.silu(gate) * up
        case "gelu":
            return jax.nn.gelu(gate) * up
        case "gelu_tanh":
            return jax.nn.gelu(gate, approximate=True) * up
        case "swigluoai":
            return tokamax_gmm.swigluoai(gate, up)
        case _:
            raise NotImplementedError(
                f"the CPU version of this kernel has no fused activation {activation!r}"
            )


def flash_attention(
    q: jax.Array,
    k: jax.Array,
    v: jax.Array,
    ab: jax.Array | None = None,
    segment_ids: Any = None,
    *,
    causal: bool = False,
    sm_scale: float = 1.0,
    **_tuning: Any,
) -> jax.Array:
    """Stand-in for tpu_inference.kernels.flash_attention.kernel.flash_attention (the vision tower's).

    q, k, v [batch, heads, length, head dim]; `ab` is added to the scores; tokens see only those of their own
    segment. Returns the shape and type of q.

    Checked against the library's `mha_reference_no_custom_vjp` and against a plain numpy softmax.
    """
    score = jnp.einsum("bhqd,bhkd->bhqk", q.astype(jnp.float32), k.astype(jnp.float32))
    if ab is not None:
        score = score + ab
    score = score * sm_scale
    if segment_ids is not None:
        score = jnp.where(segment_ids.q[:, None, :, None] == segment_ids.kv[:, None, None, :], score, MASKED)
    if causal:
        score = jnp.where(jnp.tri(*score.shape[-2:], dtype=bool), score, MASKED)
    weight = jax.nn.softmax(score, axis=-1)
    return jnp.einsum("bhqk,bhkd->bhqd", weight, v.astype(jnp.float32)).astype(q.dtype)
