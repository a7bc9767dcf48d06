"""The lines of the stack's outputs: short, and different exactly when a change matters."""

import pytest
from hypothesis import given

from serving.compilation.candidate import Candidate
from serving.compilation.fingerprint import fingerprint
from serving.deploy.acceptance_checks import WITHOUT
from serving.engine.config import EngineConfig
from serving.memory.budget import budget
from serving.messages.units import span
from serving.startup import cold_start
from stacks import output_lines
from stacks.output_lines import LONGEST
from tests.unit.serving.strategies import GEMMA, V6E_4, engine, engines

ROLLOUTS = {
    f"rollout {numbers}": numbers
    for numbers in ((1, 0, 1), (1, 1, 1), (2, 0, 1), (40, 1, 1), (2, 0, 3), (40, 0, 3), (40, 1, 3))
}


def lines(config: EngineConfig) -> dict[str, str]:
    name = fingerprint(Candidate(V6E_4, GEMMA, config), image="i@sha256:0")
    start = cold_start.estimate(Candidate(V6E_4, GEMMA, config))
    return {
        "kv_capacity": output_lines.kv_capacity(budget(Candidate(V6E_4, GEMMA, config)), config),
        "programs": output_lines.programs(Candidate(V6E_4, GEMMA, config)),
        "cold_start": output_lines.cold_start(start),
        "compile_cache": output_lines.compile_cache(name),
        **{name: output_lines.rollout(*numbers, start) for name, numbers in ROLLOUTS.items()},
        **{f"without {check}": output_lines.acceptance([check])[0] for check in WITHOUT},
    }


def test_the_lines_of_the_recipe_without_drafting() -> None:
    found = lines(engine(kv_cache_dtype="fp8", block_size=32, bucket_padding_gap=512))
    assert found["kv_capacity"] == (
        "KV tokens 384,320 (fp8, block 32), 166 requests of 2,300 tokens at once; free HBM 2.02 GiB a chip "
        "(scaled)"
    )
    assert found["programs"] == (
        "267 programs, 26 of them whole models, for 13 token buckets (16 to 4,096) and 6 request buckets; "
        "images, async scheduling"
    )


def test_no_request_is_longer_than_the_engine_allows() -> None:
    found = lines(engine(max_model_len=1024, max_num_seqs=8))["kv_capacity"]
    assert ", 8 requests of 1,024 tokens at once;" in found


@pytest.mark.parametrize(
    ("numbers", "begin"),
    [
        ((1, 0, 1), "no server answers for "),
        ((2, 0, 2), "no server answers for "),
        ((2, 0, 1), "a release replaces one server at a time: 1 of 2 serve meanwhile; "),
        ((3, 0, 2), "a release replaces 2 servers at a time: 1 of 3 serve meanwhile; "),
        ((1, 1, 3), "a release starts each server on a spare slice first: 1 of 1 serve meanwhile; "),
        ((40, 1, 1), "a release starts each server on a spare slice first: 40 of 40 serve meanwhile; "),
        ((5, 1, 3), "a release starts 3 servers on 3 spare slices first: 5 of 5 serve meanwhile; "),
    ],
)
def test_a_release_takes_out_as_many_servers_as_its_group_has_zones(
    numbers: tuple[int, int, int], begin: str
) -> None:
    start = cold_start.estimate(Candidate(V6E_4, GEMMA, engine()))
    line = output_lines.rollout(*numbers, start)
    assert line.startswith(begin)
    if begin.startswith("no server"):
        assert f"replicas {numbers[2] + 1}, or rollout.surge 1 with " in line


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
        ({"num_precompile_workers": 8}, {"cold_start", *ROLLOUTS}),
        ({"gpu_memory_utilization": 0.92}, {"kv_capacity", "compile_cache"}),
        ({"bucket_padding_gap": 512}, {"kv_capacity", "programs", "cold_start", "compile_cache", *ROLLOUTS}),
    ],
)
def test_a_change_moves_its_own_lines(fields: dict[str, object], moved: set[str]) -> None:
    before, after = lines(engine()), lines(engine(**fields))
    assert {name for name in before if before[name] != after[name]} == moved


def test_the_downtime_of_a_release() -> None:
    # Another image is pulled first; both times are of a node that exists.
    start = cold_start.estimate(Candidate(V6E_4, GEMMA, engine()))
    with_image = start.without("node")
    line = output_lines.rollout(1, 0, 1, start)
    assert f"{span(with_image.low, with_image.high)} with another image" in line
    assert with_image.high > start.without("node", "image").high


def test_the_cold_start_is_a_range_and_its_deadline_is_later() -> None:
    start = cold_start.estimate(Candidate(V6E_4, GEMMA, engine()))
    line = lines(engine())["cold_start"]
    assert line.startswith(f"first boot {span(start.cold.low, start.cold.high)}, ")
    assert line.endswith(f"(fitted on public boots); given up after {start.budget_seconds / 60:.0f} min")


def test_a_check_that_is_off_is_named_with_its_consequence() -> None:
    assert output_lines.acceptance([]) == ["a server gets traffic after 12 checks"]
    assert output_lines.acceptance(["ladder", "chat"]) == [
        "without the check ladder: a slower release goes unnoticed, and acceptance.limits is not checked",
        "without the check chat: a server that answers no chat message gets traffic",
    ]
