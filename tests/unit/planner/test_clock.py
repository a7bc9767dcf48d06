"""The simulated clock against times that were counted by hand: every step takes one second."""

import pytest

from config.traffic.load import Length, Load
from planner.clock import Times, simulate
from tests.unit.planner.steps import OneByOne, a_second_each


def load(requests: int, *, concurrency: int | None = None, rate: float | None = None) -> Load:
    return Load(Length("fixed", 4, 4), Length("fixed", 3, 3), requests, concurrency, rate)


def test_a_single_request_takes_a_step_for_each_token() -> None:
    trace = simulate(
        load(1, concurrency=1), OneByOne(8), a_second_each, asynchronous=False, token_seconds=0.0
    )
    assert trace.requests == {0: Times(sent=0.0, first=1.0, last=3.0, answer=3)}
    assert (trace.seconds, len(trace.steps)) == (3.0, 3)


def test_asynchronous_scheduling_takes_no_other_time_without_other_requests() -> None:
    trace = simulate(load(1, concurrency=1), OneByOne(8), a_second_each, asynchronous=True, token_seconds=0.0)
    assert trace.requests[0] == Times(0.0, 1.0, 3.0, 3)


def test_the_next_request_of_a_client_is_sent_when_the_last_one_ends() -> None:
    trace = simulate(
        load(2, concurrency=1), OneByOne(8), a_second_each, asynchronous=False, token_seconds=0.0
    )
    assert trace.requests[1] == Times(sent=3.0, first=4.0, last=6.0, answer=3)


def test_requests_beyond_the_slots_wait() -> None:
    trace = simulate(
        load(3, concurrency=3), OneByOne(2), a_second_each, asynchronous=False, token_seconds=0.0
    )
    assert [trace.requests[number].first for number in range(3)] == [1.0, 1.0, 4.0]
    assert trace.steps[0].waiting == 1


def test_a_request_that_comes_in_a_step_waits_for_it_and_for_the_one_already_chosen() -> None:
    """With asynchronous scheduling, one more step is chosen before the request is there."""
    between = {
        asynchronous: simulate(
            load(2, rate=2.0), OneByOne(2), a_second_each, asynchronous=asynchronous, token_seconds=0.0
        ).requests[1]
        for asynchronous in (False, True)
    }
    came = between[False].sent
    assert 0 < came < 1, "the seed's second request comes in the first step"
    assert (between[False].first, between[True].first) == (2.0, 3.0)


def test_the_request_after_an_answer_is_not_in_the_step_that_follows_the_answer() -> None:
    """The engine has chosen that step before the client has the answer. An idle engine waits for it."""
    uneven = Load(Length("fixed", 4, 4), Length("uniform", 1, 9), requests=12, concurrency=3)
    trace = simulate(uneven, OneByOne(8), a_second_each, asynchronous=False, token_seconds=0.0)
    later = [times for number, times in trace.requests.items() if number >= 3]
    ended = {times.sent for times in later}
    for times in later:
        others = [each for each in trace.requests.values() if each.sent < times.sent]
        busy = any((each.last or 0.0) > times.sent for each in others)
        assert times.first == times.sent + (2.0 if busy else 1.0)
    assert len(ended) > 3


def test_prompts_are_tokenized_one_after_another_before_the_engine_gets_them() -> None:
    """A prompt of four tokens takes a quarter of a second; the second one comes in the first step."""
    trace = simulate(
        load(3, concurrency=2), OneByOne(8), a_second_each, asynchronous=False, token_seconds=1 / 16
    )
    assert [step.start for step in trace.steps[:2]] == [0.25, 1.25]
    first, second, third = trace.requests.values()
    assert (first.sent, first.first, second.sent, second.first) == (0.0, 1.25, 0.0, 2.25)
    assert (third.sent, third.first) == (first.last, 5.25), (
        "it comes while the second one gets its last token"
    )


def test_a_scheduler_that_runs_nothing_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="the KV cache is too small"):
        simulate(load(1, concurrency=1), OneByOne(0), a_second_each, asynchronous=False, token_seconds=0.0)
