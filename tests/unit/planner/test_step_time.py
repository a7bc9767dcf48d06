"""Seconds of a step, counted by hand from its work and the chip's peaks."""

from dataclasses import replace

import pytest

from planner.attention_kernel import Work
from planner.constants import Constants
from planner.measured_cells import E2B
from planner.step_time import LINK_BYTES_PER_SECOND, step_time
from planner.step_work import StepWork

SLICE = E2B.candidate.accelerator
HALF = Constants(efficiency=0.5, step_seconds=0.25, request_seconds=0.125)
NOTHING = Work(0, 0)
IDLE = StepWork(NOTHING, NOTHING, NOTHING, NOTHING, 0.0, new_requests=0)


def seconds(work: StepWork) -> tuple[float, float, float, float]:
    time = step_time(work, SLICE, HALF)
    return time.arithmetic, time.hbm, time.links, time.host


def second_of_each() -> Work:
    """Returns what the peaks do in a second."""
    assert SLICE.bf16_flops and SLICE.hbm_bytes_per_second
    return Work(SLICE.bf16_flops, SLICE.hbm_bytes_per_second)


@pytest.mark.parametrize("part", ["images", "matrices", "prefill"])
def test_images_matrices_and_prefills_take_the_longer_of_both(part: str) -> None:
    both = second_of_each()
    assert seconds(replace(IDLE, **{part: both})) == (2.0, 0.0, 0.0, 0.25)
    assert seconds(replace(IDLE, **{part: replace(both, flops=both.flops / 4)})) == (0.0, 1.0, 0.0, 0.25)


def test_decoding_attention_takes_its_arithmetic_and_its_pages() -> None:
    assert seconds(replace(IDLE, decode=second_of_each())) == (1.0, 2.0, 0.0, 0.25)


def test_new_requests_and_links_add_their_own_time() -> None:
    busy = replace(IDLE, new_requests=2, exchanged_bytes=LINK_BYTES_PER_SECOND)
    assert seconds(busy) == (0.0, 0.0, 1.0, 0.5)


def test_a_slice_without_known_peaks_is_refused() -> None:
    with pytest.raises(ValueError, match="The peak rates of v6e-1 are unknown"):
        step_time(IDLE, replace(SLICE, bf16_flops=None), HALF)
