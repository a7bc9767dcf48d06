"""Every published boot beside the estimate of its seconds: inside a range of a factor of 2."""

import pytest

from serving.compilation.candidate import Candidate
from serving.hardware.accelerators import accelerator
from serving.memory.measured_boots import BOOTS, MeasuredBoot
from serving.models.catalog import model
from serving.startup.cold_start import BEFORE_CONTAINER, ColdStart, Range, estimate
from tests.unit.serving.memory.test_measured_boots import booted
from tests.unit.serving.strategies import engine

SLOWEST_SECONDS = 1701
"""E2B on a v5e-1 with pages of 16 tokens (tpu-vllm-v5e1-2b, 2026-08-09-serving-params-v5e1, arm C): the one
public boot that no range holds."""


def ranges(start: ColdStart) -> dict[str, Range]:
    """The range of each kind of seconds that a log has. Files were in the host's memory."""
    cold = {part.name: part.cold_seconds for part in start.parts}
    warm = {part.name: part.warm_seconds for part in start.parts}
    reading = cold["weights"] - warm["weights"]
    before = sum(cold[name] for name in BEFORE_CONTAINER)
    return {
        "load": start.range(warm["weights"]),
        "engine": start.range(cold["compile"] + cold["warm-up"]),
        "engine_warm": start.range(warm["compile"] + warm["warm-up"]),
        "ready": start.range(sum(cold.values()) - before - reading),
        "ready_warm": start.range(sum(warm.values())),
        "read": start.range(reading),
    }


MEASURED = [
    (boot, name, seconds)
    for boot in BOOTS
    for name, values in vars(boot.seconds).items()
    for seconds in values
]


@pytest.mark.parametrize(
    ("boot", "name", "seconds"),
    MEASURED,
    ids=[
        f"{boot.model} {boot.accelerator} {boot.version} {name} {seconds}" for boot, name, seconds in MEASURED
    ],
)
def test_seconds_are_inside_the_range(boot: MeasuredBoot, name: str, seconds: float) -> None:
    expected = ranges(estimate(booted(boot)))[name]
    assert expected.high / expected.low == pytest.approx(2)
    assert expected.low <= seconds <= expected.high, f"{expected.low:.0f} to {expected.high:.0f}"


def test_the_fit_covers_every_architecture_and_both_ways_to_be_warm() -> None:
    assert len(MEASURED) >= 20
    assert {boot.model for boot, name, _ in MEASURED if name == "engine"} == {
        "gemma-4-e2b-it",
        "gemma-4-e4b-it",
        "gemma-4-26b-a4b-it",
        "gemma-4-31b-it",
    }
    assert {name for _, name, _ in MEASURED} == set(ranges(estimate(booted(BOOTS[0]))))


def test_the_slowest_boot_is_above_its_range_and_within_its_budget() -> None:
    config = engine(
        tensor_parallel_size=1,
        gpu_memory_utilization=0.92,
        max_model_len=32_768,
        max_num_seqs=64,
        max_num_batched_tokens=2496,
        limit_mm_per_prompt={"image": 4},
        disable_chunked_mm_input=True,
    )
    start = estimate(Candidate(accelerator("v5e-1"), model("gemma-4-e2b-it"), config))
    assert ranges(start)["ready"].high < SLOWEST_SECONDS <= start.startup_budget_seconds
