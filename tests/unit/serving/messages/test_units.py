"""Sizes and durations as text."""

import pytest

from serving.messages.units import GIB, MIB, duration, gib, span


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0.00 GiB"),
        (5 * MIB + MIB // 2, "5.5 MiB"),
        (-3 * MIB, "-3.0 MiB"),
        (GIB // 10, "102.4 MiB"),
        (GIB // 8, "0.12 GiB"),
        (-2 * GIB, "-2.00 GiB"),
        (31 * GIB + GIB // 4, "31.25 GiB"),
    ],
)
def test_a_size(size: int, text: str) -> None:
    assert gib(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (0.4, "0 s"), (119.4, "119 s"), (120, "2 min"), (5400, "90 min")]
)
def test_a_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (780, 1560, "13 to 26 min"),
        (50, 100, "50 to 100 s"),
        (90, 180, "90 s to 3 min"),
        (121, 125, "2 min"),
        (0, 0, "0 s"),
    ],
)
def test_a_span(low: float, high: float, text: str) -> None:
    assert span(low, high) == text
