"""Table of the regions with v6e: zones and public prices, each with its source and the day of its reading.

Google decides which zones have chips and what they cost. The lists of zones are those of two documents of
Google; what others were granted or refused is beside them. Prices are US dollars for one chip and one hour.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

Provisioning = Literal["on-demand", "spot", "flex-start", "commitment-1y", "commitment-3y"]


@dataclass(frozen=True)
class Price:
    """US dollars for one v6e chip and one hour, read from `source` on the day `read`."""

    dollars_per_chip_hour: float
    read: date
    source: str


@dataclass(frozen=True)
class Region:
    """One region. A price that sources disagree about has several readings; the first, which is used, is the
    highest."""

    name: str
    prices: Mapping[Provisioning, tuple[Price, ...]]
    zones: tuple[str, ...] = ()
    """Zones that Google lists for v6e, without those for single tenants."""
    flex_start_zones: tuple[str, ...] = ()
    """Zones that Google lists for v6e with flex-start."""
    flex_start_granted: tuple[str, ...] = ()
    """Zones that are not in that list and in which a public boot had flex-start capacity."""


_GUIDE = "Cloud Billing Catalog as read by github.com/xbill9/gemma4-dev"
_GUIDE_READ = date(2026, 8, 11)
_CATALOG_READ = date(2026, 8, 7)
_NETHERLANDS_READ = date(2026, 8, 25)


def _guide(dollars: float, read: date = _GUIDE_READ) -> Price:
    return Price(dollars, read, _GUIDE)


def _launch(dollars: float) -> tuple[Price, ...]:
    """Returns a price that is older than a year, so refused until somebody reads it again."""
    return (Price(dollars, date(2024, 12, 11), "Trillium's general availability, neowin.net"),)


_ON_DEMAND_US: Mapping[Provisioning, tuple[Price, ...]] = {
    "on-demand": (_guide(2.70),),
    "commitment-1y": _launch(1.89),
    "commitment-3y": _launch(1.22),
}
_ON_DEMAND_FAR: Mapping[Provisioning, tuple[Price, ...]] = {"on-demand": (_guide(3.24),)}

REGIONS: tuple[Region, ...] = (
    # Without us-east4 and us-west1, whose zones are for single tenants, as is us-east5-c.
    # The API refuses flex-start for v6e in us-central1-b, for whose region the catalog has a rate
    # (xbill9/gemma4-dev, tpu-vllm-v6e1-2b).
    Region("us-central1", zones=("us-central1-b",), prices=_ON_DEMAND_US),
    Region("us-east1", zones=("us-east1-d",), prices=_ON_DEMAND_US),
    Region(
        "us-east5",
        zones=("us-east5-a", "us-east5-b"),
        flex_start_zones=("us-east5-a", "us-east5-b"),
        prices={
            **_ON_DEMAND_US,
            "spot": (_guide(1.4033),),
            # TPU.md and HARDWARE.md of that repository disagree; its copy of the catalog's rows has the lower
            # one.
            "flex-start": (_guide(1.40), _guide(1.35, _CATALOG_READ)),
            # "Commitment v1: TpuV6e running in Columbus for 1 Year". No dated source has three years.
            "commitment-1y": (_guide(1.89, _CATALOG_READ),),
        },
    ),
    Region(
        "europe-west4",
        zones=("europe-west4-a",),
        flex_start_granted=("europe-west4-a",),
        prices={
            "on-demand": (_guide(2.97),),
            "spot": (_guide(1.782, _NETHERLANDS_READ),),
            "flex-start": (_guide(1.35, _NETHERLANDS_READ),),
        },
    ),
    Region(
        "asia-northeast1",
        zones=("asia-northeast1-b",),
        flex_start_zones=("asia-northeast1-b",),
        prices=_ON_DEMAND_FAR,
    ),
    Region("asia-south1", prices=_ON_DEMAND_FAR),
    Region("europe-west2", prices=_ON_DEMAND_FAR),
)
