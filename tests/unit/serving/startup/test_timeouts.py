"""Every time-out follows from the cold start and the longest request, in an order that cannot deadlock."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.compilation.candidate import Candidate
from serving.engine.phases import PHASES, engine_for
from serving.hardware.accelerators import accelerator
from serving.models.catalog import model
from serving.startup.cold_start import ColdStart, Part, estimate
from serving.startup.timeouts import Lifecycle, lifecycle


def cold(container: float, before: float = 0) -> ColdStart:
    """A cold start of these seconds in the container and before it, exactly."""
    return ColdStart(
        (
            Part("node", before, 0, "assumed", ""),
            Part("compile", container, container, "assumed", ""),
        ),
        basis="",
        spread=1,
        margin=1,
    )


def test_the_chain_for_a_known_cold_start() -> None:
    life = lifecycle(cold(1800, 240), 300)
    assert life == Lifecycle(
        startup_period_seconds=10,
        startup_failure_threshold=180,
        liveness_period_seconds=10,
        liveness_failure_threshold=6,
        readiness_period_seconds=5,
        readiness_failure_threshold=2,
        probe_timeout_seconds=5,
        engine_ready_timeout_seconds=1800,
        pre_stop_seconds=15,
        shutdown_timeout_seconds=300,
        drain_seconds=315,
        termination_grace_seconds=345,
        acceptance_seconds=300,
        progress_deadline_seconds=2695,
    )


starts = st.builds(cold, st.floats(1, 100_000), st.floats(0, 100_000))
requests = st.integers(1, 86_400)


@given(starts, requests, st.integers(1, 120))
def test_a_short_stop_leaves_time_for_the_requests(start: ColdStart, longest: int, stop: int) -> None:
    life, unhurried = lifecycle(start, longest, stop_seconds=stop), lifecycle(start, longest)
    assert life.pre_stop_seconds <= stop / 3 and life.pre_stop_seconds <= unhurried.pre_stop_seconds
    assert life.shutdown_timeout_seconds == unhurried.shutdown_timeout_seconds


@given(starts, requests)
def test_nothing_gives_up_before_what_it_waits_for(start: ColdStart, longest: int) -> None:
    life = lifecycle(start, longest)
    startup = life.startup_period_seconds * life.startup_failure_threshold
    assert startup >= start.startup_budget_seconds
    assert life.engine_ready_timeout_seconds <= startup < life.progress_deadline_seconds
    assert life.progress_deadline_seconds > start.budget_seconds
    assert life.rollout_seconds(1) > life.progress_deadline_seconds
    # The new server gets its slice when the old one has drained.
    assert life.progress_deadline_seconds >= start.budget_seconds + life.termination_grace_seconds
    assert life.rollout_seconds(3) == 3 * life.rollout_seconds(1)
    assert life.shutdown_timeout_seconds >= longest
    assert life.pre_stop_seconds + life.shutdown_timeout_seconds == life.drain_seconds
    assert life.termination_grace_seconds > life.drain_seconds


@given(starts, requests, st.integers(0, 1000))
def test_a_longer_request_lengthens_only_the_end(start: ColdStart, longest: int, more: int) -> None:
    short, long = lifecycle(start, longest), lifecycle(start, longest + more)
    ends = {
        "shutdown_timeout_seconds",
        "drain_seconds",
        "termination_grace_seconds",
        "progress_deadline_seconds",
    }
    for field in dataclasses.fields(Lifecycle):
        difference = getattr(long, field.name) - getattr(short, field.name)
        assert difference == (more if field.name in ends else 0), field.name


@pytest.mark.parametrize("phase", PHASES.values(), ids=list(PHASES))
def test_the_slowest_published_boot_fits_every_phase(phase) -> None:
    """A cold v6e-4 boot of the 26B took 459 s; a report of 30 minutes exists for the slower model code."""
    start = estimate(Candidate(accelerator("v6e-4"), model(phase.model), engine_for(phase.name, None, {})))
    assert lifecycle(start, 300).engine_ready_timeout_seconds >= 1800


def test_a_request_without_duration_is_refused() -> None:
    with pytest.raises(ValueError) as refusal:
        lifecycle(cold(600), 0)
    assert str(refusal.value) == (
        "the longest request is 0 seconds; it must be above 0; set the time that your longest answer takes."
    )
