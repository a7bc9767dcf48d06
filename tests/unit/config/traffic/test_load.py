"""Loads: what the words of LOAD mean, and the requests that follow."""

import itertools
import statistics

import pytest

from config.traffic.load import Length, Load, parse

FIXED = Length("fixed", 2048, 2048)

ACCEPTED = [
    (
        "concurrency=64 prompt=2048 answer=128",
        Load(FIXED, Length("fixed", 128, 128), requests=128, concurrency=64),
    ),
    (
        "rate=4 prompt=lognormal:900:0.8:8192 answer=uniform:50:400 prefix=0.5 burstiness=0.5 requests=500",
        Load(
            Length("lognormal", 900, 8192, 0.8),
            Length("uniform", 50, 400),
            requests=500,
            rate=4.0,
            burstiness=0.5,
            shared_prefix=0.5,
        ),
    ),
    (
        "concurrency=1 prompt=9 answer=9 images=2 requests=3",
        Load(Length("fixed", 9, 9), Length("fixed", 9, 9), 3, concurrency=1, images=2),
    ),
    ("concurrency=1 prompt=9 answer=9", Load(Length("fixed", 9, 9), Length("fixed", 9, 9), 8, concurrency=1)),
    ("rate=0.5 prompt=9 answer=9", Load(Length("fixed", 9, 9), Length("fixed", 9, 9), 60, rate=0.5)),
]

REFUSED = [
    ("prompt=1 answer=1", "LOAD lacks concurrency or rate: write for example"),
    ("concurrency=1 rate=1 prompt=1 answer=1", "LOAD has concurrency and rate, which exclude each other"),
    ("concurrency=1 prompt=1", "LOAD lacks answer: write for example"),
    ("", "LOAD lacks prompt, answer, concurrency or rate: write for example"),
    (
        "concurrency=0 prompt=1 answer=1",
        "concurrency=0 is no whole number from 1 to 9,999,999: write one in digits, such as concurrency=64.",
    ),
    ("concurrency=1.5 prompt=1 answer=1", "concurrency=1.5 is no whole number from 1"),
    ("concurrency=10000000 prompt=1 answer=1", "concurrency=10000000 is no whole number from 1 to 9,999,999"),
    ("rate=1 prompt=2,048 answer=1", "prompt=2,048 is no whole number from 1 to 9,999,999"),
    (
        "rate=0 prompt=1 answer=1",
        "rate=0 is no number above 0 and below 1,000,000: write one in digits, such as rate=0.5.",
    ),
    ("rate=-1 prompt=1 answer=1", "rate=-1 is no number above 0"),
    ("rate=1000000 prompt=1 answer=1", "rate=1000000 is no number above 0 and below 1,000,000"),
    ("rate=.5 prompt=1 answer=1", "rate=.5 is no number above 0 and below 1,000,000: write one in digits"),
    ("rate=1 prompt=1 answer=1 prefix=1.5", "prefix=1.5 is no share: write a number from 0 to 1, such as"),
    ("rate=1 prompt=1 answer=1 prefix=-1", "prefix=-1 is no share: write a number from 0 to 1, such as"),
    (
        "concurrency=1 prompt=1 answer=1 burstiness=0.5",
        "burstiness=0.5 says how unevenly the requests of a rate come, and LOAD has no rate: add rate",
    ),
    ("rate=1 prompt=uniform:9:3 answer=1", "prompt=uniform:9:3 is no length: write a number, uniform:LOW"),
    ("rate=1 prompt=uniform:a:3 answer=1", "prompt=uniform:a:3 is no length"),
    ("rate=1 prompt=lognormal:9:-1:20 answer=1", "prompt=lognormal:9:-1:20 is no length"),
    ("rate=1 prompt=normal:9 answer=1", "prompt=normal:9 is no length"),
    ("rate=1 prompt=1 answer=1 images=0", "images=0 is no whole number from 1"),
    ("rate=1 prompt=1 answer=1 users=3", "'users=3' in LOAD is none of"),
    ("rate=1 rate=2 prompt=1 answer=1", "'rate=2' in LOAD is none of"),
    ("fast", "'fast' in LOAD is none of"),
]


@pytest.mark.parametrize(("text", "expected"), ACCEPTED)
def test_words_of_a_load(text: str, expected: Load) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(("text", "sentence"), REFUSED)
def test_a_mistake_in_a_load_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError) as refusal:
        parse(text)
    assert sentence in str(refusal.value) and "\n" not in str(refusal.value)


def test_the_same_seed_gives_the_same_requests() -> None:
    load = ACCEPTED[1][1]
    assert list(load.draw()) == list(load.draw()) != list(load.draw(seed=1))


def test_requests_come_at_their_rate_and_bursts_are_more_uneven() -> None:
    spreads = list[float]()
    for burstiness in (1.0, 0.25):
        load = Load(FIXED, FIXED, requests=4000, rate=5.0, burstiness=burstiness)
        at = [request.at for request in load.draw()]
        gaps = [later - earlier for earlier, later in itertools.pairwise(at)]
        assert statistics.mean(gaps) == pytest.approx(1 / 5.0, rel=0.05)
        spreads.append(statistics.stdev(gaps) / statistics.mean(gaps))
    assert spreads == pytest.approx([1.0, 2.0], rel=0.1), "1 / sqrt(burstiness)"


def test_lengths_follow_their_distribution_and_never_exceed_the_longest() -> None:
    requests = list(ACCEPTED[1][1].draw())
    assert statistics.median(each.prompt for each in requests) == pytest.approx(900, rel=0.15)
    assert max(each.prompt for each in requests) <= 8192
    assert all(50 <= each.answer <= 400 for each in requests)


def test_a_length_with_the_largest_spread_is_drawn() -> None:
    load = parse("concurrency=1 prompt=lognormal:900:999999:8192 answer=1 requests=100")
    assert {each.prompt for each in load.draw()} == {1, 8192}


def test_requests_share_exactly_the_prefix() -> None:
    load = Load(Length("fixed", 100, 100), FIXED, requests=2, concurrency=2, shared_prefix=0.3)
    one, two = (request.tokens() for request in load.draw())
    assert len(one) == len(two) == 100
    assert one[:30] == two[:30] and not set(one[30:]) & set(two)
