"""Prices of slices, from a table of public prices with dates.

This module makes no request to Google: each row has its source and the day on which it was read. A row older
than REFUSE_AFTER is not used, and a row older than WARN_AFTER gives a warning. A price per token needs a
measured throughput.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import Literal, get_args

from serving.hardware.accelerators import Accelerator

Provisioning = Literal["on-demand", "spot", "flex-start", "commitment-1y", "commitment-3y"]

HOURS_PER_MONTH = 730
"""8,760 hours a year over 12 months."""
WARN_AFTER = timedelta(days=90)
REFUSE_AFTER = timedelta(days=365)

US_REGIONS = ("us-central1", "us-east1", "us-east5")


@dataclass(frozen=True)
class Price:
    """US dollars for one v6e chip and one hour, read from `source` on the day `read`."""

    dollars_per_chip_hour: float
    read: date
    source: str


_GUIDE = "Cloud Billing Catalog as read by github.com/xbill9/gemma4-dev"
_GUIDE_READ = date(2026, 8, 11)
_LAUNCH = "Trillium's general availability, neowin.net"
_LAUNCHED = date(2024, 12, 11)

_ROWS: tuple[tuple[Provisioning, float, tuple[str, ...], str, date], ...] = (
    ("on-demand", 2.70, US_REGIONS, _GUIDE, _GUIDE_READ),
    ("on-demand", 2.97, ("europe-west4",), _GUIDE, _GUIDE_READ),
    ("on-demand", 3.24, ("europe-west2", "asia-northeast1", "asia-south1"), _GUIDE, _GUIDE_READ),
    ("spot", 1.4033, ("us-east5",), _GUIDE, _GUIDE_READ),
    ("spot", 1.78, ("europe-west4",), _GUIDE, _GUIDE_READ),
    ("flex-start", 1.40, ("us-east5",), _GUIDE, _GUIDE_READ),
    ("flex-start", 1.35, ("europe-west4",), _GUIDE, _GUIDE_READ),
    # Older than a year, so refused until they are read again. These are the only public commitment prices.
    ("commitment-1y", 1.89, US_REGIONS, _LAUNCH, _LAUNCHED),
    ("commitment-3y", 1.22, US_REGIONS, _LAUNCH, _LAUNCHED),
)

PRICES: Mapping[tuple[str, Provisioning], Price] = MappingProxyType(
    {
        (region, provisioning): Price(dollars, read, source)
        for provisioning, dollars, regions, source, read in _ROWS
        for region in regions
    }
)


@dataclass(frozen=True)
class Cost:
    """Price of a slice in dollars. `warning` is a sentence, or None."""

    chips: int
    region: str
    provisioning: Provisioning
    price: Price
    warning: str | None

    @property
    def dollars_per_hour(self) -> float:
        """Dollars for one hour of the slice."""
        return self.chips * self.price.dollars_per_chip_hour

    @property
    def dollars_per_month(self) -> float:
        """Dollars for HOURS_PER_MONTH of the slice."""
        return HOURS_PER_MONTH * self.dollars_per_hour

    def dollars_per_million_tokens(self, measured_tokens_per_second: float) -> float:
        """Returns the dollars for a million tokens at a throughput measured on this slice under constant
        load.

        Raises ValueError for a throughput that is not positive.
        """
        if measured_tokens_per_second <= 0:
            raise ValueError(
                f"A price per token was asked for at {measured_tokens_per_second:g} tokens a second; only a "
                "measured throughput above 0 gives one: run the benchmark and pass its result."
            )
        return self.dollars_per_hour / (measured_tokens_per_second * 3600) * 1e6


def cost(accelerator: Accelerator, region: str, provisioning: Provisioning, today: date) -> Cost:
    """Returns the price of `accelerator` in `region`.

    Raises ValueError when the table has no usable row, with the rows that it has.
    """
    if accelerator.is_stand_in:
        raise ValueError(
            f"{accelerator.name} has no price: it is the CPU stand-in on your own machine; choose a v6e "
            "slice."
        )
    price = PRICES.get((region, provisioning))
    if price is None:
        raise ValueError(_no_row(region, provisioning))
    age = today - price.read
    dated = f"The {provisioning} price of v6e in {region} was read on {price.read}, {age.days} days ago"
    if age > REFUSE_AFTER:
        raise ValueError(
            f"{dated}; a price older than {REFUSE_AFTER.days} days is not used: read the current one in the "
            "Cloud Billing Catalog and write it into serving/hardware/prices.py."
        )
    stale = age > WARN_AFTER
    return Cost(
        accelerator.chips,
        region,
        provisioning,
        price,
        f"{dated}; check it in the Cloud Billing Catalog before you rely on it." if stale else None,
    )


def _no_row(region: str, provisioning: str) -> str:
    regions = sorted({known for known, kind in PRICES if kind == provisioning})
    if not regions:
        near = difflib.get_close_matches(provisioning, get_args(Provisioning), n=1)
        return (
            f"A {provisioning} price was asked for; the table has {', '.join(get_args(Provisioning))}: "
            f"choose {near[0] if near else 'one of them'}."
        )
    return (
        f"A {provisioning} price of v6e in {region} was asked for; the table has it for "
        f"{', '.join(regions)}: choose one of them, or add a row with its source to "
        f"serving/hardware/prices.py."
    )
