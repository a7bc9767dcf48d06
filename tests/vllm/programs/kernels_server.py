"""The CPU kernels against the libraries' own references. Runs in the model server's Python.

Prints one JSON object: case -> the numbers that tests/vllm/test_kernels.py checks.
"""

import json
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tokamax._src.ops.experimental.gmm_v2 import gmm_v2
from tpu_inference.kernels.flash_attention.kernel import SegmentIds, mha_reference_no_custom_vjp
from tpu_inference.kernels.ragged_paged_attention.v3 import kernel as rpa
from tpuserve_cpu_backend import activate, kernels

PAGES = 64


def difference(left: Any, right: Any) -> float:
    return float(np.max(np.abs(np.asarray(left, np.float32) - np.asarray(right, np.float32))))


def attention(case: dict[str, Any]) -> dict[str, Any]:
    """Returns the results for a random batch: `lengths` are (query, context) of each live request; slots and
    tokens are padded."""
    draw = np.random.default_rng(case["seed"])
    lengths, page, width = case["lengths"], case["page"], case["pages_per_request"]
    tokens, slots = case["tokens"], case["slots"]
    dtype = jnp.dtype(case["dtype"])

    def random(*shape: int, scale: float = 1.0) -> jax.Array:
        return jnp.asarray(draw.normal(size=shape) * scale, jnp.float32)

    queries = random(tokens, case["heads"], case["dim"]).astype(case["queries"])
    keys, values = (random(tokens, case["kv_heads"], case["dim"]).astype(dtype) for _ in range(2))
    shape = rpa.get_kv_cache_shape(PAGES, page, case["kv_heads"], case["dim"], dtype)
    cache = random(*shape).astype(dtype)
    kv_lens = np.zeros(slots, np.int32)
    ends = np.zeros(slots + 1, np.int32)
    for number, (query, context) in enumerate(lengths):
        kv_lens[number] = context
        ends[number + 1] = ends[number] + query
    # The runner leaves invalid ends after the live requests.
    ends[len(lengths) + 1 :] = case["garbage"]
    table = draw.permutation(PAGES)[: slots * width].reshape(-1).astype(np.int32)
    decode = sum(1 for query, _ in lengths if query == 1)
    arguments = (
        queries,
        keys,
        values,
        cache,
        jnp.asarray(kv_lens),
        jnp.asarray(table),
        jnp.asarray(ends),
        jnp.asarray([decode, decode, len(lengths)], jnp.int32),
    )
    named = case["named"]
    wanted, wanted_cache = rpa.ref_ragged_paged_attention(*arguments, **named)
    got, got_cache = jax.jit(lambda *a: kernels.ragged_paged_attention(*a, **named))(*arguments)
    live = int(ends[len(lengths)])
    bits = jnp.uint8 if dtype.itemsize == 1 else jnp.uint16
    same = jax.lax.bitcast_convert_type(got_cache, bits) == jax.lax.bitcast_convert_type(wanted_cache, bits)
    return {
        "difference": difference(got[:live], wanted[:live]),
        "largest": float(jnp.max(jnp.abs(wanted.astype(jnp.float32)))),
        "padding": float(jnp.max(jnp.abs(got[live:]))) if live < tokens else 0.0,
        "cache_equal": bool(jnp.all(same)),
        "cache_changed": bool(jnp.any(got_cache != cache)),
    }


def reference_matmul(lhs: np.ndarray, rhs: np.ndarray, sizes: list[int], offset: int) -> np.ndarray:
    """Returns tokamax's reference_gmm in numpy (its module imports test tools that the server does not
    have)."""
    out = np.zeros((lhs.shape[0], rhs.shape[2]), np.float32)
    start = 0
    for group, size in enumerate(sizes):
        if 0 <= group - offset < rhs.shape[0]:
            out[start : start + size] = lhs[start : start + size] @ rhs[group - offset]
        start += size
    return out


def matmul(case: dict[str, Any]) -> dict[str, Any]:
    draw = np.random.default_rng(case["seed"])
    sizes, offset, local = case["sizes"], case["offset"], case["local"]
    lhs = jnp.asarray(draw.normal(size=(case["rows"], 64)), jnp.bfloat16)
    rhs = jnp.asarray(draw.normal(size=(local, 64, 256)) / 8, jnp.bfloat16)
    product = reference_matmul(np.asarray(lhs, np.float32), np.asarray(rhs, np.float32), sizes, offset)
    activation = case["activation"]
    # 256 columns are two lanes of 128, where tokamax's interleaved order and the stand-in's are the same.
    wanted = gmm_v2.apply_act_fn(jnp.asarray(product), activation)
    got = jax.jit(lambda a, b, c, d: kernels.grouped_matmul(a, b, c, group_offset=d, fuse_act=activation))(
        lhs, rhs, jnp.asarray(sizes, jnp.int32), jnp.asarray(offset, jnp.int32)
    )
    return {
        "difference": difference(got, wanted),
        "largest": float(jnp.max(jnp.abs(wanted))),
        "shape": list(got.shape),
        "foreign": float(jnp.max(jnp.abs(jnp.where((wanted == 0).all(1)[:, None], got, 0)))),
    }


def numpy_softmax_attention(q: Any, k: Any, v: Any, segments: np.ndarray | None, scale: float) -> np.ndarray:
    q, k, v = (np.asarray(each, np.float64) for each in (q, k, v))
    score = q @ k.transpose(0, 1, 3, 2) * scale
    if segments is not None:
        score = np.where(segments[:, None, :, None] == segments[:, None, None, :], score, -np.inf)
    weight = np.exp(score - score.max(-1, keepdims=True))
    return (weight / weight.sum(-1, keepdims=True)) @ v


def vision(case: dict[str, Any]) -> dict[str, Any]:
    draw = np.random.default_rng(case["seed"])
    batch, _, length, _ = case["shape"]
    q, k, v = (jnp.asarray(draw.normal(size=case["shape"]), jnp.bfloat16) for _ in range(3))
    segments = None
    ids = None
    if case["valid"] is not None:
        segments = np.where(np.arange(length)[None] < case["valid"], 1, 2).repeat(batch, 0).astype(np.int32)
        ids = SegmentIds(q=jnp.asarray(segments), kv=jnp.asarray(segments))
    scale = case["scale"]
    got = kernels.flash_attention(q, k, v, segment_ids=ids, causal=case["causal"], sm_scale=scale)
    f32 = [each.astype(jnp.float32) for each in (q, k, v)]
    library = mha_reference_no_custom_vjp(*f32, segment_ids=ids, causal=case["causal"], sm_scale=scale)
    plain = None if case["causal"] else numpy_softmax_attention(q, k, v, segments, scale)
    return {
        "library": difference(got, library),
        "numpy": None if plain is None else difference(got, plain),
        "largest": float(jnp.max(jnp.abs(library))),
        "dtype": str(got.dtype),
    }


if __name__ == "__main__":
    activate()  # the references, too, need a chip's description
    asked = json.load(sys.stdin)
    kinds = {"attention": attention, "matmul": matmul, "vision": vision}
    json.dump({kind: [kinds[kind](case) for case in asked[kind]] for kind in asked}, sys.stdout)
