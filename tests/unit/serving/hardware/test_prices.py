"""Prices: hand-checked sums, ages, and no price where there is none to tell."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.hardware.accelerators import accelerator
from serving.hardware.prices import PRICES, REFUSE_AFTER, WARN_AFTER, cost
from serving.hardware.regions import Provisioning
from tests.unit.serving.strategies import STAND_IN, V6E_4

READ = date(2026, 8, 11)


@pytest.mark.parametrize(
    ("region", "provisioning", "an_hour", "a_month"),
    [
        ("us-east5", "on-demand", 10.80, 7884.0),
        ("europe-west4", "on-demand", 11.88, 8672.4),
        ("us-east5", "spot", 5.6132, 4097.636),
        ("us-east5", "flex-start", 5.60, 4088.0),
        ("europe-west4", "flex-start", 5.40, 3942.0),
        ("us-east5", "commitment-1y", 7.56, 5518.8),
    ],
)
def test_sums_of_a_v6e_4(region: str, provisioning: Provisioning, an_hour: float, a_month: float) -> None:
    found = cost(V6E_4, region, provisioning, READ)
    assert found.dollars_per_hour == pytest.approx(an_hour)
    assert found.dollars_per_month == pytest.approx(a_month)
    assert found.warning is None


def test_only_v6e_has_prices() -> None:
    with pytest.raises(ValueError) as refusal:
        cost(accelerator("v5e-1"), "us-east5", "on-demand", READ)
    assert str(refusal.value) == (
        "v5e-1 has no price here: the table has prices of v6e chips; choose a v6e slice."
    )


def test_a_slice_costs_its_chips() -> None:
    one, eight = (cost(accelerator(name), "us-east5", "on-demand", READ) for name in ("v6e-1", "v6e-8"))
    assert 8 * one.dollars_per_hour == pytest.approx(eight.dollars_per_hour)


@pytest.mark.parametrize(
    ("age", "warned"),
    [
        (timedelta(0), False),
        (WARN_AFTER, False),
        (WARN_AFTER + timedelta(1), True),
        (REFUSE_AFTER, True),
    ],
)
def test_age_warns(age: timedelta, warned: bool) -> None:
    warning = cost(V6E_4, "us-east5", "on-demand", READ + age).warning
    assert (warning is not None) == warned
    if warning:
        assert f"read on 2026-08-11, {age.days} days ago; check it" in warning


@pytest.mark.parametrize(
    ("region", "provisioning", "today", "sentence"),
    [
        (
            "us-east5",
            "on-demand",
            READ + REFUSE_AFTER + timedelta(1),
            r"366 days ago; a price older than 365",
        ),
        ("us-east5", "commitment-3y", READ, r"read on 2024-12-11.*older than 365 days is not used: read"),
        ("mars-north1", "spot", READ, r"for europe-west4, us-east5: choose one of them, or add a row"),
        ("us-east5", "on demand", READ, r"the table has on-demand, .*: choose on-demand"),
    ],
)
def test_refusals(region: str, provisioning: Provisioning, today: date, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        cost(V6E_4, region, provisioning, today)


def test_the_stand_in_has_no_price() -> None:
    with pytest.raises(ValueError, match="stand-in on your own machine"):
        cost(STAND_IN, "us-east5", "on-demand", READ)


def test_tokens_cost_only_at_a_measured_throughput() -> None:
    """1,982 output tokens a second at 16 requests is what the published v6e-4 run measured."""
    found = cost(V6E_4, "us-east5", "on-demand", READ)
    assert found.dollars_per_million_tokens(1982) == pytest.approx(1.5136, abs=1e-4)
    for nothing in (0.0, -1.0):
        with pytest.raises(ValueError, match="only a measured throughput"):
            found.dollars_per_million_tokens(nothing)


@given(st.floats(0.1, 1e7), st.floats(1.01, 10))
def test_faster_is_cheaper_a_token(speed: float, factor: float) -> None:
    found = cost(V6E_4, "us-east5", "spot", READ)
    assert found.dollars_per_million_tokens(speed * factor) < found.dollars_per_million_tokens(speed)


def test_every_row_is_dated_and_sourced() -> None:
    for (region, provisioning), readings in PRICES.items():
        for price in readings:
            assert price.source
            assert date(2024, 1, 1) < price.read <= date(2026, 8, 25)
            assert 0.5 < price.dollars_per_chip_hour < 5, (region, provisioning)
        assert readings[0] == max(readings, key=lambda price: price.dollars_per_chip_hour)


def test_sources_that_disagree_are_shown() -> None:
    found = cost(V6E_4, "us-east5", "flex-start", READ)
    assert found.conflict == (
        "Sources disagree about the flex-start price of v6e in us-east5: $1.4 a chip and hour is used, and "
        "another reading is $1.35 (read 2026-08-07); check it in the Cloud Billing Catalog."
    )
    assert cost(V6E_4, "europe-west4", "flex-start", READ).conflict is None
    used, other = PRICES["us-east5", "flex-start"]
    assert other.read < used.read
    later = cost(V6E_4, "us-east5", "flex-start", other.read + REFUSE_AFTER + timedelta(1))
    assert later.conflict is None, "a reading that is too old is not shown"
