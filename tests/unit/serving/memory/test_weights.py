"""Weights and KV cache on each chip: hand-checked sizes, and every published boot."""

import pytest

from serving.compilation.candidate import Candidate
from serving.memory import kv_cache, weights
from serving.memory.budget import budget
from serving.messages.units import GIB
from serving.models.catalog import model
from tests.unit.serving.strategies import GEMMA, TINY, V6E_4, engine

# ---- weights


def test_weights_of_the_26b_equal_the_traced_loader_to_the_byte() -> None:
    """Each group as the real loader of tpu-inference 0.32.0 shards it at tensor parallel 4."""
    found = {group.name: group.bytes for group in weights.groups(GEMMA, engine())}
    assert found == {
        "experts": 14_879_293_440,
        "attention": 555_125_760,
        "embedding": 369_098_752,
        "vision": 321_982_560,
        "MLP": 267_632_640,
        "router": 21_803_520,
        "norms": 1_188_412,
    }
    assert sum(found.values()) == 16_416_125_084


@pytest.mark.parametrize(
    ("fields", "gib"),
    [
        ({}, 15.289),
        ({"enable_expert_parallel": True}, 12.711),
        ({"moe_requantize_weight_dtype": "float8_e4m3fn"}, 8.408),
        ({"tensor_parallel_size": 8}, 7.677),
    ],
)
def test_resident_weights(fields: dict[str, object], gib: float) -> None:
    resident = sum(group.bytes for group in weights.groups(GEMMA, engine(**fields)))
    assert resident / GIB == pytest.approx(gib, abs=0.0005)


def test_weights_of_the_tiny_model_equal_the_traced_loader() -> None:
    assert sum(group.bytes for group in weights.groups(TINY, engine())) == 12_709_924


@pytest.mark.parametrize("chips", [1, 2, 4, 8])
def test_padding_is_what_lies_beyond_an_even_share(chips: int) -> None:
    """Without padding and copies the groups add up to the checkpoint, whatever the chips."""
    groups = weights.groups(GEMMA, engine(tensor_parallel_size=chips))
    assert all(group.padding_bytes >= 0 for group in groups)
    even = sum(group.bytes - group.padding_bytes for group in groups) * chips
    assert even == pytest.approx(51_611_872_412, abs=chips * len(groups))


def test_widths_that_do_not_divide_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"tensor_parallel_size is 3: it does not divide an expert's width, 704"
    ):
        weights.groups(GEMMA, engine(tensor_parallel_size=3))
    with pytest.raises(ValueError, match=r"does not divide experts, 128"):
        weights.groups(GEMMA, engine(tensor_parallel_size=3, enable_expert_parallel=True))


# ---- KV cache


@pytest.mark.parametrize(
    ("name", "bits", "chips", "on_chip"),
    [
        ("gemma-4-26b-a4b-it", 16, 4, 61_440),  # 60 KiB
        ("gemma-4-26b-a4b-it", 8, 4, 35_840),  # the two full KV heads, padded to four, save nothing
        ("gemma-4-26b-a4b-it", 16, 8, 35_840),
        ("gemma-4-26b-a4b-it", 16, 1, 225_280),
        ("gemma-4-e2b-it", 16, 1, 18_432),
        ("gemma-4-e4b-it", 16, 1, 57_344),
        ("gemma-4-e4b-it", 16, 4, 28_672),
        ("gemma-4-12b-it", 16, 1, 344_064),
        ("gemma-4-31b-it", 16, 4, 225_280),
        ("tiny-gemma4-moe", 8, 4, 1536),
    ],
)
def test_kv_bytes_of_a_token(name: str, bits: int, chips: int, on_chip: int) -> None:
    assert kv_cache.token_bytes(model(name), bits, chips) == on_chip


@pytest.mark.parametrize(("utilization", "tokens"), [(0.90, 224_192), (0.92, 235_104), (0.95, 251_488)])
def test_kv_tokens_of_the_26b(utilization: float, tokens: int) -> None:
    assert (
        budget(Candidate(V6E_4, GEMMA, engine(gpu_memory_utilization=utilization, block_size=32))).pool.tokens
        == tokens
    )


def test_kv_heads_and_chips_must_divide() -> None:
    with pytest.raises(ValueError, match=r"8 KV heads.*choose another number of chips"):
        kv_cache.padded_heads(8, 3)


def test_the_pool_keeps_a_page_back() -> None:
    pool = kv_cache.Pool(pages=4, page_bytes=1, block_size=16, max_model_len=64)
    assert (pool.pages_per_request, pool.serves_one, pool.resident_requests(16)) == (4, False, 3)
    assert kv_cache.Pool(5, 1, 16, 64).serves_one
