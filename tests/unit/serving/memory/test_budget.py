"""The HBM budget: hand-checked terms, problems as sentences, and what must always hold."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from config.selection import from_phase
from serving.compilation import proofs
from serving.compilation.candidate import Candidate
from serving.compilation.proof import Calls, Proof
from serving.compilation.resolved_config import resolve
from serving.engine.config import EngineConfig
from serving.engine.phases import PHASES
from serving.hardware.accelerators import accelerator
from serving.memory import program_buffers
from serving.memory.budget import budget, min_batched_tokens
from serving.memory.terms import Memory
from serving.messages.finding import Finding
from serving.messages.units import GIB, MIB
from serving.models.catalog import model
from tests.unit.serving.proved import program, proved
from tests.unit.serving.strategies import GEMMA, STAND_IN, TINY, V6E_4, engine, engines

TEXT_ONLY = {"limit_mm_per_prompt": {}, "async_scheduling": False}
DRAFTING = {"speculative": {"method": "ngram", "num_speculative_tokens": 3}, "bucket_padding_gap": 512}


def gemma_budget(config: EngineConfig) -> Memory:
    return budget(Candidate(V6E_4, GEMMA, config))


# ---- what is left


def sizes(found: Memory) -> dict[str, int]:
    return {temporary.name: temporary.bytes for temporary in found.temporaries}


@pytest.mark.parametrize("file", sorted(proofs.FOLDER.glob("*.json")), ids=lambda file: file.stem)
def test_the_formula_beside_every_proof(file: Path) -> None:
    """Within 3 % of all code, and 0.08 GiB of what is left."""
    phase, _, scenario = Proof.model_validate_json(file.read_bytes()).name.partition("+")
    if phase not in PHASES:
        # A stack fixes its pages.
        return
    selection = from_phase(phase, phase=phase, scenario=scenario or None)
    computed, compiled = (budget(candidate) for candidate in (selection.candidate, selection.proved))
    assert computed.code_bytes == pytest.approx(compiled.code_bytes, rel=0.03)
    assert computed.left_bytes / GIB == pytest.approx(compiled.left_bytes / GIB, abs=0.08)


def test_free_hbm_as_compiled() -> None:
    """The compiler's sizes for text at 0.90: 3.12 GiB free, 2.52 after the largest step and all code."""
    found = gemma_budget(engine(**TEXT_ONLY, block_size=32))
    assert found.free_bytes / GIB == pytest.approx(3.12, abs=0.01)
    # A first compilation, of all but the six programs of structured decoding, had 212 MiB.
    assert found.code_bytes / MIB - 6 == pytest.approx(216, abs=2)
    step = sizes(found)["a step of 4,096 tokens"]
    assert (found.free_bytes - found.code_bytes - step) / GIB == pytest.approx(2.52, abs=0.02)
    # The boot's own calls and the log-probabilities of a prompt need a little more than a step.
    assert found.left_bytes / GIB == pytest.approx(2.41, abs=0.02)


def test_largest_buffers_as_compiled() -> None:
    """GiB of replicated logits with 256 and with 64 requests, three drafts each, without the boot's calls."""
    for requests, gib in ((256, 4.5), (64, 1.125)):
        found = gemma_budget(engine(**DRAFTING, max_num_seqs=requests, skip_jax_precompile=True))
        assert found.largest_bytes / GIB == pytest.approx(gib, rel=0.001)


def test_the_drafting_of_the_recipe_fits_at_no_share_of_hbm() -> None:
    """27.6 GiB of logits are held at once, beside 15.3 GiB of weights on a chip of 31.24."""
    found = gemma_budget(engine(**DRAFTING, block_size=32))
    held = program_buffers.warm_up_bytes(
        GEMMA.vocabulary, resolve(GEMMA, engine(**DRAFTING)).programs.buckets, 4
    )
    assert held / GIB == pytest.approx(27.615, abs=0.001)
    assert found.problem is not None
    assert found.problem.code == "programs-do-not-fit"
    assert found.problem.changes == ({"engine.max_num_seqs": 32},)


def advised_value(problem: Finding, path: str) -> Any:
    """Returns the value that the first advice about a setting has."""
    return next(change[path] for change in problem.changes if path in change)


@pytest.mark.parametrize("requests", [48, 64])
def test_the_advised_share_of_hbm_is_the_largest_that_fits(requests: int) -> None:
    config = engine(**DRAFTING, max_num_seqs=requests)
    problem = gemma_budget(config).problem
    assert problem is not None
    advised = advised_value(problem, "engine.gpu_memory_utilization")
    assert gemma_budget(config.model_copy(update={"gpu_memory_utilization": advised})).fits
    assert not gemma_budget(
        config.model_copy(update={"gpu_memory_utilization": round(advised + 0.01, 2)})
    ).fits


def test_a_change_that_gives_up_most_of_the_cache_is_not_advised_beside_a_better_one() -> None:
    """A share of 0.54 fits too, and holds a small part of the tokens that fewer requests have."""
    problem = gemma_budget(engine(**DRAFTING, max_num_seqs=128)).problem
    assert problem is not None
    assert problem.changes == ({"engine.max_num_seqs": 32},)
    smaller = gemma_budget(engine(**DRAFTING, max_num_seqs=128, gpu_memory_utilization=0.54))
    better = gemma_budget(engine(**DRAFTING, max_num_seqs=32))
    assert smaller.fits and better.fits
    assert 2 * smaller.pool.tokens < better.pool.tokens


@pytest.mark.parametrize("pages", [8711, 8300])
def test_the_advised_number_of_pages_is_the_largest_that_fits(pages: int) -> None:
    """Another share of the memory changes nothing when the pages are fixed."""
    config = engine(gpu_memory_utilization=1, num_gpu_blocks_override=pages)
    problem = gemma_budget(config).problem
    assert problem is not None
    assert (problem.code, problem.field) == ("programs-do-not-fit", "engine.num_gpu_blocks_override")
    assert str(problem).startswith(
        f"engine.num_gpu_blocks_override is {pages:,}: weights and KV cache leave "
    )
    advised = advised_value(problem, "engine.num_gpu_blocks_override")
    assert gemma_budget(config.model_copy(update={"num_gpu_blocks_override": advised})).fits
    assert not gemma_budget(config.model_copy(update={"num_gpu_blocks_override": advised + 1})).fits


def test_no_number_of_pages_is_advised_that_serves_no_request() -> None:
    config = engine(**DRAFTING, block_size=32, num_gpu_blocks_override=2000)
    problem = gemma_budget(config).problem
    assert problem is not None
    assert problem.changes == ({"engine.max_num_seqs": 64},)


@pytest.mark.parametrize(
    ("slice_name", "model_name", "fields", "sentence"),
    [
        (
            "v6e-1", "gemma-4-26b-a4b-it", {"tensor_parallel_size": 1},
            r"gpu_memory_utilization is 0.9: the weights .* take 50.65 GiB of each chip, and that share of "
            r"its HBM is 28.12 GiB; write `tpuserve:accelerator: v6e-4` and "
            r"write `tensor_parallel_size: 4` under tpuserve:engine\.",
        ),
        (
            "v6e-4", "gemma-4-26b-a4b-it", {"tensor_parallel_size": 8},
            r"v6e-4 has 4; write `tensor_parallel_size: 4` .*, or write `tpuserve:accelerator: v6e-8`",
        ),
        (
            "v6e-4", "gemma-4-26b-a4b-it", {"gpu_memory_utilization": 0.4},
            r"take 15.29 GiB of each chip, and that share of its HBM is 12.50 GiB; "
            r"write `gpu_memory_utilization: 0.52`",
        ),
        (
            "v6e-4", "gemma-4-26b-a4b-it", {"num_gpu_blocks_override": 9000},
            r"num_gpu_blocks_override is 9,000: .* room for 7,006 pages; "
            r"write `num_gpu_blocks_override: 7006`",
        ),
        (
            "local-v6e-4", "tiny-gemma4-moe", {"num_gpu_blocks_override": 90_000, "max_model_len": 1024},
            r"num_gpu_blocks_override is 90,000: .* room for [\d,]+ pages",
        ),
        (
            "v6e-4", "gemma-4-26b-a4b-it", {"gpu_memory_utilization": 0.5, "max_model_len": 131_072},
            r"max_model_len is 131,072: the KV cache holds \d+ pages of 256, one of them kept back, and a "
            r"request of that length needs 512; write `max_model_len: 5376`",
        ),
    ],
)  # fmt: skip
def test_sentences(slice_name: str, model_name: str, fields: dict[str, object], sentence: str) -> None:
    found = budget(Candidate(accelerator(slice_name), model(model_name), engine(**fields)))
    assert not found.fits
    with pytest.raises(ValueError, match=sentence):
        raise ValueError(str(found.problem))


def test_the_longest_request_that_is_advised_fits() -> None:
    problem = gemma_budget(engine(gpu_memory_utilization=0.5, max_model_len=131_072)).problem
    assert problem is not None
    longest = advised_value(problem, "engine.max_model_len")
    assert gemma_budget(engine(gpu_memory_utilization=0.5, max_model_len=longest)).pool.serves_one


def test_the_stand_in_has_no_programs_in_its_hbm() -> None:
    found = budget(
        Candidate(STAND_IN, TINY, engine(max_model_len=1024, max_num_seqs=8, max_num_batched_tokens=512))
    )
    assert (found.code_bytes, found.largest_bytes) == (0, 0)
    assert found.fits


def test_a_proof_replaces_what_was_scaled() -> None:
    proof = proved(program("backbone", code_bytes=GIB, argument_bytes=GIB // 2, peak_bytes=GIB))
    found = budget(Candidate(V6E_4, GEMMA, engine(), proof))
    assert (found.resident_bytes, found.code_bytes, found.largest_bytes) == (15 * GIB, GIB, 3 * GIB // 2)
    assert found.basis == "compiled 2026-11-27, vllm-tpu 0.32.0"
    heavier = proved(program("backbone", peak_bytes=9 * GIB))
    problem = budget(Candidate(V6E_4, GEMMA, engine(), heavier)).problem
    assert problem is not None
    assert advised_value(problem, "engine.max_num_batched_tokens") == 2048


def test_what_the_boot_holds_for_all_its_calls_counts() -> None:
    calls = Calls(kind="select_bonus_logits", calls=12, held_bytes=20 * GIB, peak_bytes=GIB)
    proof = proved(program("backbone", peak_bytes=GIB)).model_copy(update={"calls": (calls,)})
    problem = budget(Candidate(V6E_4, GEMMA, engine(), proof)).problem
    assert problem is not None
    assert (
        "12 calls of the boot at once, most for select_bonus_logits (21.00 GiB, live while it boots)"
        in problem.truth
    )
    assert advised_value(problem, "engine.max_num_seqs") == 128


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [
        ({"disable_chunked_mm_input": True}, 2496),
        ({"disable_chunked_mm_input": True, "limit_mm_per_prompt": {"image": 4}}, 282),
        ({"disable_chunked_mm_input": True, "limit_mm_per_prompt": {"image": 4, "video": 1}}, 2496),
        ({"disable_chunked_mm_input": True, "limit_mm_per_prompt": {}}, 1),
        ({}, 1),
    ],
)
def test_smallest_step_for_images(fields: dict[str, object], tokens: int) -> None:
    assert min_batched_tokens(GEMMA, engine(**fields)) == tokens


# ---- what must always hold


@given(engines())
def test_no_term_is_negative_except_what_is_left(config: EngineConfig) -> None:
    found = gemma_budget(config)
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
    before, after = gemma_budget(config), gemma_budget(smaller)
    assert after.pool.tokens <= before.pool.tokens
    assert after.free_bytes >= before.free_bytes


@given(engines())
def test_kv_tokens_fall_when_a_value_takes_more_bits(config: EngineConfig) -> None:
    wide = config.model_copy(update={"kv_cache_dtype": "bfloat16"})
    narrow = config.model_copy(update={"kv_cache_dtype": "fp8_e5m2"})
    assert gemma_budget(wide).pool.tokens <= gemma_budget(narrow).pool.tokens


@given(engines(), st.integers(1, 2**33))
def test_kv_tokens_fall_when_weights_grow(config: EngineConfig, more: int) -> None:
    sharded, copied = GEMMA.vision_bytes or (0, 0)
    heavier = dataclasses.replace(GEMMA, vision_bytes=(sharded + more, copied))
    assert budget(Candidate(V6E_4, heavier, config)).pool.tokens <= gemma_budget(config).pool.tokens


SMALLER = (
    ("gpu_memory_utilization", lambda value: round(value - 0.03, 2)),
    ("max_model_len", lambda value: value // 2),
    ("max_num_seqs", lambda value: max(8, value // 2)),
    ("max_num_batched_tokens", lambda value: value // 2),
    ("speculative", lambda value: None),
)


@given(engines(), st.sampled_from(SMALLER))
def test_what_fits_still_fits_when_it_asks_for_less(config: EngineConfig, change: tuple) -> None:  # type: ignore[type-arg]
    assume(gemma_budget(config).fits)
    field, shrink = change
    smaller = config.model_copy(update={field: shrink(getattr(config, field))})
    found = gemma_budget(smaller)
    # Less memory for weights and cache can only fail for want of a cache, never of room for programs.
    if field == "gpu_memory_utilization" and found.problem:
        assert found.problem.code in ("weights-do-not-fit", "kv-cache-too-small")
    else:
        assert found.fits, found.problem
