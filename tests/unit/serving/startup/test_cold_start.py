"""The cold start in parts: a measured boot lies inside the budget, and less work takes less time."""

from dataclasses import replace

import pytest
from hypothesis import given

from serving.compilation import proofs
from serving.compilation.buckets import token_buckets
from serving.compilation.candidate import Candidate
from serving.engine.config import EngineConfig
from serving.engine.phases import engine_for
from serving.hardware.accelerators import accelerator
from serving.models.catalog import model
from serving.startup import cold_start
from serving.startup.cold_start import ColdStart, Part, Range
from serving.startup.rates import MIN_BUDGET_SECONDS
from tests.unit.serving.proved import program, proved
from tests.unit.serving.strategies import GEMMA, STAND_IN, TINY, V6E_4, engine, engines


def parts(estimate: ColdStart) -> dict[str, Part]:
    return {part.name: part for part in estimate.parts}


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
        assert 0 <= part.warm_seconds <= part.cold_seconds


def test_the_image_is_the_slices_own() -> None:
    """The stand-in's image has only the libraries: 16 MB instead of 19.5 GB."""
    config = engine(max_model_len=1024, max_num_seqs=8, max_num_batched_tokens=512)
    real = parts(cold_start.estimate(Candidate(V6E_4, GEMMA, config)))["image"]
    assert (real.source, real.cold_seconds) == ("measured", 40)
    assert real.basis == "19.5 GB unpacked, pulled in 40 s on a v6e-4"
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
    assert found.cold.low >= 38
    assert found.cold.high >= 194
    assert found.startup_budget_seconds > 194


def test_ranges_and_budgets_of_known_parts() -> None:
    made = ColdStart(
        (
            Part("node", 100, 0, "assumed", "x"),
            Part("compile", 600, 10, "scaled", "x"),
        ),
        basis="x",
        spread=2,
        margin=1.5,
    )
    assert (made.cold, made.warm) == (Range(350, 1400), Range(5, 20))
    assert made.without("node") == Range(300, 1200)
    assert (made.budget_seconds, made.startup_budget_seconds) == (2100, 1800)


@given(engines())
def test_the_budget_outlasts_the_range(config: EngineConfig) -> None:
    found = cold_start.estimate(Candidate(V6E_4, GEMMA, config))
    assert found.cold.low < found.cold.high < found.budget_seconds
    assert found.warm.low < found.cold.low
    assert found.startup_budget_seconds <= found.budget_seconds
    assert found.budget_seconds % 60 == 0


@given(engines())
def test_workers_never_slow_a_boot_and_backbones_do_not_share_them(config: EngineConfig) -> None:
    single = parts(cold_start.estimate(Candidate(V6E_4, GEMMA, config)))["compile"].cold_seconds
    helped = parts(
        cold_start.estimate(Candidate(V6E_4, GEMMA, config.model_copy(update={"num_precompile_workers": 8})))
    )["compile"].cold_seconds
    assert helped < single
    smallest = 30 * 0.37 * len(token_buckets(config.max_num_batched_tokens, config.bucket_padding_gap or 0))
    assert helped > smallest


@given(engines())
def test_more_buckets_take_longer(config: EngineConfig) -> None:
    few = config.model_copy(update={"bucket_padding_gap": 512, "max_num_batched_tokens": 4096})
    many = config.model_copy(update={"bucket_padding_gap": 128, "max_num_batched_tokens": 4096})
    assert (
        cold_start.estimate(Candidate(V6E_4, GEMMA, few)).cold.high
        < cold_start.estimate(Candidate(V6E_4, GEMMA, many)).cold.high
    )


def test_more_programs_make_a_longer_warm_boot() -> None:
    """Proofs of these scenarios were compiled under different load; their seconds have no part in it."""
    few, many = (
        cold_start.estimate(proofs.with_proof(Candidate(V6E_4, GEMMA, engine_for("tuned", scenario, {}))))
        for scenario in ("interactive", "batch")
    )
    assert few.warm.high < many.warm.high
    plain = Candidate(V6E_4, GEMMA, engine())
    assert cold_start.estimate(plain) == cold_start.estimate(replace(plain, proof=proved(program("sample"))))


def test_several_chips_sample_slowly_and_take_their_logprobs_quickly() -> None:
    """The sampler sorts over all chips; the log-probabilities are divided over them."""
    one, four = (
        parts(cold_start.estimate(Candidate(slice_, model("gemma-4-31b-it"), engine(tensor_parallel_size=n))))
        for slice_, n in ((accelerator("v6e-1"), 1), (V6E_4, 4))
    )
    sampling, logprobs = 24 * (5.7 - 1.4), 6 * (2.4 - 0.4) + 7 * (2.6 - 0.7)
    assert four["compile"].cold_seconds - one["compile"].cold_seconds == pytest.approx(sampling - logprobs)
