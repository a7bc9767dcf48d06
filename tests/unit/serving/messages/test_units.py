"""Sizes and durations as text."""

import pytest

from serving.messages.units import GIB, MIB, duration, gib


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
