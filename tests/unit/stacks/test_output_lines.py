"""The lines of the stack's outputs: short, and different exactly when a change matters."""

from datetime import date

import pytest
from hypothesis import given

from serving.compilation.candidate import Candidate
from serving.compilation.fingerprint import fingerprint
from serving.engine.config import EngineConfig
from serving.memory.budget import budget
from serving.startup import cold_start
from stacks import output_lines
from stacks.output_lines import LONGEST
from tests.unit.serving.strategies import GEMMA, STAND_IN, V6E_4, engine, engines

TODAY = date(2026, 9, 1)


def lines(config: EngineConfig) -> dict[str, str]:
    name = fingerprint(Candidate(V6E_4, GEMMA, config), image="i@sha256:0")
    return {
        "kv_capacity": output_lines.kv_capacity(budget(Candidate(V6E_4, GEMMA, config)), config),
        "programs": output_lines.programs(Candidate(V6E_4, GEMMA, config)),
        "cold_start": output_lines.cold_start(cold_start.estimate(Candidate(V6E_4, GEMMA, config))),
        "compile_cache": output_lines.compile_cache(name, outlives_pod=True),
        "cost": output_lines.cost(V6E_4, "us-east5", "on-demand", TODAY),
    }


def test_the_lines_of_the_recipe_without_drafting() -> None:
    found = lines(engine(kv_cache_dtype="fp8", block_size=32, bucket_padding_gap=512))
    assert found["kv_capacity"] == (
        "KV tokens 384,288 (fp8, block 32), 166 requests of 2,300 tokens at once; free HBM 2.02 GiB a chip "
        "(computed)"
    )
    assert found["programs"] == (
        "267 programs, 26 of them whole models, for 13 token buckets (16 to 4,096) and 6 request buckets; "
        "images, async scheduling"
    )
    assert found["cost"] == (
        "$10.80 an hour, $7,884 a month of 730 hours (on-demand, us-east5, price read 2026-08-11)"
    )


def test_no_request_is_longer_than_the_engine_allows() -> None:
    found = lines(engine(max_model_len=1024, max_num_seqs=8))["kv_capacity"]
    assert ", 8 requests of 1,024 tokens at once;" in found


@given(engines())
def test_every_line_is_short(config: EngineConfig) -> None:
    for name, line in lines(config).items():
        assert 0 < len(line) <= LONGEST, name
        assert "\n" not in line


def test_what_does_not_fit_says_so() -> None:
    config = engine(speculative={"method": "ngram", "num_speculative_tokens": 3})
    assert lines(config)["kv_capacity"].startswith("does not fit: weights and KV cache leave 3.1")


@pytest.mark.parametrize(
    ("fields", "moved"),
    [
        ({"enable_prefix_caching": False}, set()),
        ({"num_precompile_workers": 8}, {"cold_start"}),
        ({"gpu_memory_utilization": 0.92}, {"kv_capacity", "compile_cache"}),
        ({"bucket_padding_gap": 512}, {"kv_capacity", "programs", "cold_start", "compile_cache"}),
    ],
)
def test_a_change_moves_its_own_lines(fields: dict[str, object], moved: set[str]) -> None:
    before, after = lines(engine()), lines(engine(**fields))
    assert {name for name in before if before[name] != after[name]} == moved


def test_no_price_says_why() -> None:
    assert (
        output_lines.cost(STAND_IN, "us-east5", "spot", TODAY) == "nothing: local-v6e-4 is your own machine"
    )
    assert "older than 365 days" in output_lines.cost(V6E_4, "us-east5", "commitment-1y", TODAY)
