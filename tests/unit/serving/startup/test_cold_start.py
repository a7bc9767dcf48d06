"""The cold start in parts: a measured boot lies inside the budget, and less work takes less time."""

import pytest
from hypothesis import given

from serving.compilation.buckets import token_buckets
from serving.compilation.candidate import Candidate
from serving.engine.config import EngineConfig
from serving.hardware import host_resources
from serving.startup import cold_start
from serving.startup.cold_start import BEFORE_CONTAINER, ColdStart, Part
from serving.startup.rates import MIN_BUDGET_SECONDS
from tests.unit.serving.proved import program, proved
from tests.unit.serving.strategies import GEMMA, STAND_IN, TINY, V6E_4, engine, engines

PUBLISHED = engine(
    gpu_memory_utilization=0.92, max_model_len=2048, max_num_seqs=16, max_num_batched_tokens=2048,
    limit_mm_per_prompt={},
)  # fmt: skip
"""The engine of the one published boot of the 26B on a v6e-4: 459 s from the process's start to ready, of
them 153 s of loading from memory and 197 s in "init engine"."""


def parts(estimate: ColdStart) -> dict[str, Part]:
    return {part.name: part for part in estimate.parts}


def test_the_published_boot() -> None:
    found = cold_start.estimate(Candidate(V6E_4, GEMMA, PUBLISHED))
    named = parts(found)
    assert named["weights"].warm_seconds == pytest.approx(153.5, abs=1)
    in_engine = named["compile"].cold_seconds + named["warm-up"].cold_seconds
    assert 197 <= in_engine <= 1.5 * 197
    in_container = sum(part.cold_seconds for part in found.parts if part.name not in BEFORE_CONTAINER)
    assert 459 <= in_container <= found.startup_budget_seconds


def test_the_default_engine_stays_within_what_the_documentation_warns_of() -> None:
    """vLLM's documentation says 20 to 30 minutes for a first boot on TPU: the budget must outlast it."""
    found = cold_start.estimate(Candidate(V6E_4, GEMMA, engine()))
    assert found.startup_budget_seconds >= 30 * 60
    assert found.budget_seconds >= 45 * 60


def test_every_part_has_a_source() -> None:
    found = cold_start.estimate(Candidate(V6E_4, GEMMA, engine()))
    assert [part.name for part in found.parts] == ["node", "image", "server", "weights", "compile", "warm-up"]
    for part in found.parts:
        assert part.basis
        assert part.uncertainty >= 1
        assert 0 <= part.warm_seconds <= part.cold_seconds


def test_the_image_is_the_slices_own() -> None:
    """The stand-in's image has only the libraries: 16 MB instead of 19.5 GB."""
    config = engine(max_model_len=1024, max_num_seqs=8, max_num_batched_tokens=512)
    real = parts(cold_start.estimate(Candidate(V6E_4, GEMMA, config)))["image"]
    assert (real.source, real.basis) == ("computed", "19.5 GB unpacked, 100 MB/s assumed")
    assert real.cold_seconds == host_resources.IMAGE_BYTES / 100e6 == 195
    stand_in = parts(cold_start.estimate(Candidate(STAND_IN, TINY, config)))["image"]
    assert (stand_in.source, stand_in.basis) == (
        "assumed",
        "16 MB from an archive; the packages are mounted",
    )


def test_the_stand_in_has_the_smallest_budget_and_more_than_its_slowest_boot() -> None:
    """194 s is the slowest boot seen, on a machine with eleven other processes at work."""
    config = engine(max_model_len=1024, max_num_seqs=8, max_num_batched_tokens=512, kv_cache_dtype="fp8")
    found = cold_start.estimate(Candidate(STAND_IN, TINY, config))
    assert found.startup_budget_seconds == MIN_BUDGET_SECONDS
    assert 38 <= found.cold_seconds <= 194 < found.startup_budget_seconds


def test_budgets_are_whole_minutes_above_the_upper_ends() -> None:
    made = ColdStart(
        (
            Part("node", 100, 0, "assumed", 2, "x"),
            Part("compile", 601, 10, "computed", 1, "x"),
        ),
        "estimate",
    )
    assert (made.cold_seconds, made.warm_seconds) == (701, 10)
    assert (made.budget_seconds, made.startup_budget_seconds) == (840, 660)


@given(engines())
def test_the_budget_outlasts_the_estimate(config: EngineConfig) -> None:
    found = cold_start.estimate(Candidate(V6E_4, GEMMA, config))
    assert found.warm_seconds < found.cold_seconds < found.budget_seconds
    assert found.startup_budget_seconds <= found.budget_seconds
    assert found.budget_seconds % 60 == 0


@given(engines())
def test_workers_never_slow_a_boot_and_backbones_do_not_share_them(config: EngineConfig) -> None:
    single = parts(cold_start.estimate(Candidate(V6E_4, GEMMA, config)))["compile"].cold_seconds
    helped = parts(
        cold_start.estimate(Candidate(V6E_4, GEMMA, config.model_copy(update={"num_precompile_workers": 8})))
    )["compile"].cold_seconds
    assert helped < single
    smallest = 30 * 0.41 * len(token_buckets(config.max_num_batched_tokens, config.bucket_padding_gap or 0))
    assert helped > smallest


@given(engines())
def test_more_buckets_take_longer(config: EngineConfig) -> None:
    few = config.model_copy(update={"bucket_padding_gap": 512, "max_num_batched_tokens": 4096})
    many = config.model_copy(update={"bucket_padding_gap": 128, "max_num_batched_tokens": 4096})
    assert (
        cold_start.estimate(Candidate(V6E_4, GEMMA, few)).cold_seconds
        < cold_start.estimate(Candidate(V6E_4, GEMMA, many)).cold_seconds
    )


def test_a_proof_gives_proportions_and_the_host_the_pace() -> None:
    """7 s of lowering and 16 s of compiling each, on the machine that wrote the proof."""
    one, two = proved(program("backbone")), proved(program("backbone"), program("sample"))
    single = parts(cold_start.estimate(Candidate(V6E_4, GEMMA, engine(), one)))["compile"]
    both = parts(cold_start.estimate(Candidate(V6E_4, GEMMA, engine(), two)))["compile"]
    assert both.cold_seconds == pytest.approx(2 * single.cold_seconds)
    assert both.warm_seconds == pytest.approx(both.cold_seconds * 7 / 23)
    assert both.source == "compiled"
    shared = engine(num_precompile_workers=8)
    quicker = parts(cold_start.estimate(Candidate(V6E_4, GEMMA, shared, two)))["compile"]
    assert quicker.cold_seconds == pytest.approx(single.cold_seconds * 9 / 8)
    slow = [each.model_copy(update={"lower_seconds": 70, "compile_seconds": 160}) for each in two.programs]
    slower = parts(cold_start.estimate(Candidate(V6E_4, GEMMA, engine(), proved(*slow))))["compile"]
    assert slower.cold_seconds == pytest.approx(both.cold_seconds)
