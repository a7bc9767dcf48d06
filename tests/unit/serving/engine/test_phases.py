"""Phases keep the recipe's values, except where docs/claims.md says otherwise; scenarios fit any phase."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.compilation.candidate import Candidate
from serving.compilation.resolved_config import resolve
from serving.engine.config import EngineConfig
from serving.engine.phases import PHASES, SCENARIOS, engine_for
from serving.findings import findings
from serving.hardware.accelerators import accelerator
from serving.memory.budget import budget
from serving.memory.terms import Memory
from serving.models.catalog import MODELS, model

V6E = accelerator("v6e-4")
CLAIMS = Path(__file__).parents[4] / "docs" / "claims.md"

DRAFTING = {"method": "ngram", "num_speculative_tokens": 3}

# What the recipe's third phase says, field by field.
RECIPE: dict[str, object] = {
    "tensor_parallel_size": 4,
    "dtype": "bfloat16",
    "kv_cache_dtype": "fp8",
    "gpu_memory_utilization": 0.9,
    "block_size": 32,
    "max_model_len": 16384,
    "max_num_seqs": 256,
    "max_num_batched_tokens": 4096,
    "speculative": DRAFTING,
    "enable_prefix_caching": True,
    "safetensors_load_strategy": "prefetch",
    "enable_auto_tool_choice": True,
    "tool_call_parser": "gemma4",
    "reasoning_parser": "gemma4",
    "trust_remote_code": True,
    "bucket_padding_gap": 512,
}


def test_turbo_stable_deviates_from_the_recipe_only_where_the_claims_list_it() -> None:
    engine = engine_for("turbo-stable", None, {})
    moved = {field for field, value in RECIPE.items() if getattr(engine, field) != value}
    assert moved == {"speculative"}
    assert engine.speculative is None
    added = engine.model_fields_set - set(RECIPE) - {"limit_mm_per_prompt"}
    assert added == {"disable_chunked_mm_input"}
    deviations = CLAIMS.read_text("utf-8").partition("## Deviations of turbo-stable")[2]
    for field in (*moved, *added, "limit_mm_per_prompt"):
        assert f"`{field}`" in deviations, field


def test_of_drafting_and_256_requests_drafting_yields_by_numbers() -> None:
    def stable(**overrides: object) -> Memory:
        engine = engine_for("turbo-stable", None, overrides)
        return budget(Candidate(V6E, model("gemma-4-26b-a4b-it"), engine))

    for share in (0.9, 0.8, 0.7, 0.6):
        written = stable(speculative=DRAFTING, gpu_memory_utilization=share)
        assert written.problem is not None and written.problem.code == "programs-do-not-fit"
    assert stable(speculative=DRAFTING, max_num_seqs=32).fits
    assert not stable(speculative=DRAFTING, max_num_seqs=64).fits
    assert stable(speculative=DRAFTING, max_num_seqs=64, gpu_memory_utilization=0.78).fits
    without = stable()
    assert without.fits
    assert without.pool.resident_requests(2300) > 2 * 64


def test_tuned_keeps_the_recipes_lengths_with_fewer_programs() -> None:
    spec = model("gemma-4-26b-a4b-it")
    recipe, tuned = engine_for("turbo-stable", None, {}), engine_for("tuned", None, {})
    assert (tuned.max_model_len, tuned.max_num_batched_tokens) == (
        recipe.max_model_len,
        recipe.max_num_batched_tokens,
    )
    assert resolve(spec, tuned).programs.total < resolve(spec, recipe).programs.total
    assert not any(f.severity == "warning" for f in findings(Candidate(V6E, spec, tuned)))


@pytest.mark.parametrize("phase", PHASES.values(), ids=list(PHASES))
@pytest.mark.parametrize("scenario", [None, *SCENARIOS])
def test_every_phase_with_every_scenario_can_serve(phase, scenario: str | None) -> None:
    engine = engine_for(phase.name, scenario, {})
    errors = [str(f) for f in findings(Candidate(V6E, model(phase.model), engine)) if f.severity == "error"]
    assert errors == []


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=list(SCENARIOS))
def test_a_scenario_changes_something_in_some_phase_and_says_what_it_costs(scenario) -> None:
    assert any(engine_for(name, scenario.name, {}) != engine_for(name, None, {}) for name in PHASES)
    assert scenario.description and scenario.trade_off


@pytest.mark.parametrize("phase", PHASES.values(), ids=list(PHASES))
def test_a_phase_names_a_model_that_exists_and_claims_no_speed(phase) -> None:
    assert phase.model in MODELS
    text = f"{phase.description} {phase.trade_off}".lower()
    assert not any(word in text for word in ("faster", "fastest", "throughput", "tok/s", "latency"))


@given(st.sampled_from(sorted(PHASES)), st.sampled_from([None, *sorted(SCENARIOS)]), st.integers(1, 4096))
def test_an_override_has_the_last_word(phase: str, scenario: str | None, slots: int) -> None:
    engine: EngineConfig = engine_for(phase, scenario, {"max_num_seqs": slots, "speculative": None})
    assert engine.max_num_seqs == slots and engine.speculative is None
