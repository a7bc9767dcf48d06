"""Prices of slices and of a cluster, from the public prices of serving/hardware/regions.py.

This module makes no request to Google: each price has its source and the day on which it was read. A price
older than REFUSE_AFTER is not used, and one older than WARN_AFTER gives a warning. A price per token needs a
measured throughput.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import get_args

from serving.hardware.accelerators import Accelerator
from serving.hardware.regions import REGIONS, Price, Provisioning

HOURS_PER_MONTH = 730
"""8,760 hours a year over 12 months."""
WARN_AFTER = timedelta(days=90)
REFUSE_AFTER = timedelta(days=365)

PRICES: Mapping[tuple[str, Provisioning], tuple[Price, ...]] = MappingProxyType(
    {
        (region.name, provisioning): readings
        for region in REGIONS
        for provisioning, readings in region.prices.items()
    }
)
"""Readings of each price; the first is used."""


@dataclass(frozen=True)
class Fee:
    """US dollars for one hour of one thing in every region, read from `source` on the day `read`."""

    dollars_per_hour: float
    read: date
    source: str

    @property
    def dollars_per_month(self) -> float:
        """Dollars for HOURS_PER_MONTH."""
        return HOURS_PER_MONTH * self.dollars_per_hour


CLUSTER_FEE = Fee(0.10, date(2026, 10, 1), "https://cloud.google.com/kubernetes-engine/pricing")
"""GKE's fee for a cluster of any size and topology; the free tier does not count for regional clusters.

The page was quoted with its day by two public comparisons, of 2026-05-11 and of 2026-10-01. System nodes,
disks, load balancers and traffic have no row: no public source gives their price in the regions of v6e with a
day within the last year.
"""


def is_old(read: date, today: date) -> bool:
    """Returns whether a price needs a warning."""
    return today - read > WARN_AFTER


def is_unusable(read: date, today: date) -> bool:
    """Returns whether a price is too old to be shown."""
    return today - read > REFUSE_AFTER


@dataclass(frozen=True)
class Cost:
    """Price of a slice in dollars. `warning` is a sentence on its age, or None."""

    chips: int
    region: str
    provisioning: Provisioning
    price: Price
    warning: str | None
    others: tuple[Price, ...]
    """Readings that differ from `price` and are not too old to be shown."""

    @property
    def dollars_per_hour(self) -> float:
        """Dollars for one hour of the slice."""
        return self.chips * self.price.dollars_per_chip_hour

    @property
    def dollars_per_month(self) -> float:
        """Dollars for HOURS_PER_MONTH of the slice."""
        return HOURS_PER_MONTH * self.dollars_per_hour

    @property
    def conflict(self) -> str | None:
        """Sentence on the readings that disagree with the price, or None."""
        if not self.others:
            return None
        found = ", ".join(f"${each.dollars_per_chip_hour:g} (read {each.read})" for each in self.others)
        return (
            f"Sources disagree about the {self.provisioning} price of v6e in {self.region}: "
            f"${self.price.dollars_per_chip_hour:g} a chip and hour is used, and another reading is {found}; "
            "check it in the Cloud Billing Catalog."
        )

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
    if accelerator.generation != "v6e":
        raise ValueError(
            f"{accelerator.name} has no price here: the table has prices of v6e chips; choose a v6e slice."
        )
    readings = PRICES.get((region, provisioning))
    if readings is None:
        raise ValueError(_no_row(region, provisioning))
    price = readings[0]
    age = today - price.read
    dated = f"The {provisioning} price of v6e in {region} was read on {price.read}, {age.days} days ago"
    if is_unusable(price.read, today):
        raise ValueError(
            f"{dated}; a price older than {REFUSE_AFTER.days} days is not used: read the current one in the "
            "Cloud Billing Catalog and write it into serving/hardware/regions.py."
        )
    return Cost(
        accelerator.chips,
        region,
        provisioning,
        price,
        f"{dated}; check it in the Cloud Billing Catalog before you rely on it."
        if is_old(price.read, today)
        else None,
        tuple(
            each
            for each in readings[1:]
            if each.dollars_per_chip_hour != price.dollars_per_chip_hour and not is_unusable(each.read, today)
        ),
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
        f"The {provisioning} price of v6e in {region} was asked for; the table has it for "
        f"{', '.join(regions)}: choose one of them, or add a row with its source to "
        f"serving/hardware/regions.py."
    )
