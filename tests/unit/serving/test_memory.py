"""The HBM budget: hand-checked terms, published boots, and what must always hold."""

import dataclasses

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from serving import kvcache, measured, memory, weights
from serving.accelerators import accelerator
from serving.engine import EngineConfig
from serving.measured import Boot
from serving.memory import GIB, Memory
from serving.models import model
from serving.proofs import Program, Proof
from tests.unit.serving.strategies import GEMMA, STAND_IN, TINY, V6E_4, engine, engines

TEXT_ONLY = {"limit_mm_per_prompt": {}, "async_scheduling": False}
DRAFTING = {"speculative": {"method": "ngram", "num_speculative_tokens": 3}, "bucket_padding_gap": 512}


def budget(config: EngineConfig) -> Memory:
    return memory.budget(V6E_4, GEMMA, config)


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
    assert kvcache.token_bytes(model(name), bits, chips) == on_chip


@pytest.mark.parametrize(("utilization", "tokens"), [(0.90, 224_160), (0.92, 235_072), (0.95, 251_456)])
def test_kv_tokens_of_the_26b(utilization: float, tokens: int) -> None:
    assert budget(engine(gpu_memory_utilization=utilization, block_size=32)).pool.tokens == tokens


def test_kv_heads_and_chips_must_divide() -> None:
    with pytest.raises(ValueError, match=r"8 KV heads.*choose another number of chips"):
        kvcache.padded_heads(8, 3)


@pytest.mark.parametrize("boot", measured.BOOTS, ids=lambda boot: f"{boot.model} {boot.version}")
def test_published_boots(boot: Boot) -> None:
    """Every v6e boot whose log is public: weights and KV tokens, to the two decimals that it logs."""
    spec = model(boot.model)
    chips = boot.tensor_parallel
    config = engine(
        tensor_parallel_size=chips,
        gpu_memory_utilization=measured.UTILIZATION,
        max_model_len=boot.max_model_len,
        max_num_seqs=boot.max_num_seqs,
        max_num_batched_tokens=boot.max_num_batched_tokens,
    )
    found = memory.budget(accelerator(boot.accelerator), spec, config)
    assert found.pool.block_size == boot.block_size
    assert found.resident_bytes / GIB == pytest.approx(boot.resident, abs=0.005)
    # Half a hundredth of a GiB of weights on each chip, and as much of HBM, is some pages more or less.
    page = kvcache.token_bytes(spec, 16, chips) * boot.block_size * chips
    slack = 1 + 0.01 * GIB * chips / page
    assert found.pool.tokens == pytest.approx(boot.kv_tokens, abs=slack * boot.block_size)
    # What the log says was available is known to half a hundredth of a GiB in all.
    fewest = kvcache.page_count(int((boot.available - 0.005) * GIB), page)
    most = kvcache.page_count(int((boot.available + 0.005) * GIB), page)
    assert fewest <= boot.kv_tokens // boot.block_size <= most


def test_the_pool_keeps_a_page_back() -> None:
    pool = kvcache.Pool(pages=4, page_bytes=1, block_size=16, max_model_len=64)
    assert (pool.pages_per_request, pool.serves_one, pool.resident_requests(16)) == (4, False, 3)
    assert kvcache.Pool(5, 1, 16, 64).serves_one


# ---- what is left


def test_free_hbm_as_compiled() -> None:
    """Free after weights and KV cache, and after the largest step, as the compiler's sizes give them."""
    found = budget(engine(**TEXT_ONLY, block_size=32))
    assert found.free_bytes / GIB == pytest.approx(3.12, abs=0.01)
    assert found.left_bytes / GIB == pytest.approx(2.64, abs=0.05)


def test_the_drafting_of_the_recipe_does_not_fit() -> None:
    found = budget(engine(**DRAFTING, block_size=32))
    assert found.largest_bytes / GIB == pytest.approx(4.5, abs=0.01)
    problem = found.problem
    assert problem is not None
    assert problem.code == "programs-do-not-fit"
    assert "4.50 GiB" in str(problem)
    # Its own advice works, and is the largest that does.
    advised = float(problem.change.removeprefix("set it to ").split()[0])
    assert budget(engine(**DRAFTING, block_size=32, gpu_memory_utilization=advised)).fits
    assert not budget(engine(**DRAFTING, block_size=32, gpu_memory_utilization=round(advised + 0.01, 2))).fits
    assert budget(engine(**DRAFTING, max_num_seqs=64)).fits


@pytest.mark.parametrize(
    ("slice_name", "model_name", "fields", "sentence"),
    [
        (
            "v6e-1", "gemma-4-26b-a4b-it", {"tensor_parallel_size": 1},
            r"gpu_memory_utilization is 0.9: the weights .* take 50.65 GiB of each chip, and that share of "
            r"its HBM is 28.12 GiB; take a larger slice or a smaller model\.",
        ),
        ("v6e-4", "gemma-4-26b-a4b-it", {"tensor_parallel_size": 8}, r"v6e-4 has 4 chips; set it to 4, or"),
        (
            "v6e-4", "gemma-4-26b-a4b-it", {"gpu_memory_utilization": 0.4},
            r"take 15.29 GiB of each chip, and that share of its HBM is 12.50 GiB; set it above 0.49, or",
        ),
        (
            "v6e-4", "gemma-4-26b-a4b-it", {"gpu_memory_utilization": 0.5, "max_model_len": 131_072},
            r"max_model_len is 131,072: the KV cache holds \d+ pages of 256, one of them kept back, and a "
            r"request of that length needs 512; set it to [\d,]+ or less",
        ),
    ],
)  # fmt: skip
def test_sentences(slice_name: str, model_name: str, fields: dict[str, object], sentence: str) -> None:
    found = memory.budget(accelerator(slice_name), model(model_name), engine(**fields))
    assert not found.fits
    with pytest.raises(ValueError, match=sentence):
        raise ValueError(str(found.problem))


def test_the_longest_request_that_is_advised_fits() -> None:
    problem = budget(engine(gpu_memory_utilization=0.5, max_model_len=131_072)).problem
    assert problem is not None
    longest = int(problem.change.split()[3].replace(",", ""))
    assert budget(engine(gpu_memory_utilization=0.5, max_model_len=longest, block_size=256)).pool.serves_one


def test_the_stand_in_has_no_programs_in_its_hbm() -> None:
    found = memory.budget(
        STAND_IN, TINY, engine(max_model_len=1024, max_num_seqs=8, max_num_batched_tokens=512)
    )
    assert (found.code_bytes, found.largest_bytes) == (0, 0)
    assert found.fits


def test_a_proof_replaces_what_was_scaled() -> None:
    program = Program(
        kind="backbone", shape="4096", code_bytes=GIB, peak_bytes=2 * GIB, lower_seconds=1, compile_seconds=1
    )
    proof = Proof(graph="0" * 16, versions={}, resident_bytes=15 * GIB, programs=(program,))
    found = memory.budget(V6E_4, GEMMA, engine(), proof)
    assert (found.resident_bytes, found.code_bytes, found.largest_bytes) == (15 * GIB, GIB, 2 * GIB)
    assert found.basis == "compiled"
    heavier = (
        dataclasses.replace(program, peak_bytes=9 * GIB)
        if False
        else program.model_copy(update={"peak_bytes": 9 * GIB})
    )
    refused = memory.budget(V6E_4, GEMMA, engine(), proof.model_copy(update={"programs": (heavier,)}))
    assert refused.problem is not None


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [
        ({"disable_chunked_mm_input": True}, 2496),
        ({"disable_chunked_mm_input": True, "limit_mm_per_prompt": {"image": 4}}, 280),
        ({"disable_chunked_mm_input": True, "limit_mm_per_prompt": {"image": 4, "video": 1}}, 2496),
        ({"disable_chunked_mm_input": True, "limit_mm_per_prompt": {}}, 1),
        ({}, 1),
    ],
)
def test_smallest_step_for_images(fields: dict[str, object], tokens: int) -> None:
    assert memory.min_batched_tokens(GEMMA, engine(**fields)) == tokens


# ---- what must always hold


@given(engines())
def test_no_term_is_negative_except_what_is_left(config: EngineConfig) -> None:
    found = budget(config)
    assert found.pool.pages >= 0
    assert found.pool.tokens >= 0
    assert found.kv_bytes >= 0
    assert found.pool.resident_requests(2300) >= 0
    assert found.resident_bytes + found.kv_bytes <= max(found.cap_bytes, found.resident_bytes)
    assert found.fits == (found.problem is None)
    if found.fits:
        assert found.left_bytes >= 0
        assert found.pool.serves_one


@given(engines(), st.integers(1, 20))
def test_kv_tokens_fall_when_headroom_grows(config: EngineConfig, percent: int) -> None:
    less = round(config.gpu_memory_utilization - percent / 100, 2)
    smaller = config.model_copy(update={"gpu_memory_utilization": less})
    assert budget(smaller).pool.tokens <= budget(config).pool.tokens
    assert budget(smaller).free_bytes >= budget(config).free_bytes


@given(engines())
def test_kv_tokens_fall_when_a_value_takes_more_bits(config: EngineConfig) -> None:
    wide = config.model_copy(update={"kv_cache_dtype": "bfloat16"})
    narrow = config.model_copy(update={"kv_cache_dtype": "fp8_e5m2"})
    assert budget(wide).pool.tokens <= budget(narrow).pool.tokens


@given(engines(), st.integers(1, 2**33))
def test_kv_tokens_fall_when_weights_grow(config: EngineConfig, more: int) -> None:
    sharded, copied = GEMMA.vision_bytes or (0, 0)
    heavier = dataclasses.replace(GEMMA, vision_bytes=(sharded + more, copied))
    assert memory.budget(V6E_4, heavier, config).pool.tokens <= budget(config).pool.tokens


SMALLER = (
    ("gpu_memory_utilization", lambda value: round(value - 0.03, 2)),
    ("max_model_len", lambda value: value // 2),
    ("max_num_seqs", lambda value: max(8, value // 2)),
    ("max_num_batched_tokens", lambda value: value // 2),
    ("speculative", lambda value: None),
)


@given(engines(), st.sampled_from(SMALLER))
def test_what_fits_still_fits_when_it_asks_for_less(config: EngineConfig, change: tuple) -> None:  # type: ignore[type-arg]
    assume(budget(config).fits)
    field, shrink = change
    smaller = config.model_copy(update={field: shrink(getattr(config, field))})
    found = budget(smaller)
    # Less memory for weights and cache can only fail for want of a cache, never of room for programs.
    if field == "gpu_memory_utilization" and found.problem:
        assert found.problem.code in ("weights-do-not-fit", "kv-cache-too-small")
    else:
        assert found.fits, found.problem
