"""The table of regions: zones and prices, with conflicts between sources and the age of each price."""

from collections.abc import Iterator
from datetime import date

from serving.hardware.prices import REFUSE_AFTER, WARN_AFTER, is_old, is_unusable
from serving.hardware.regions import REGIONS, Price, Region
from serving.hardware.zones import FLEX_START_ZONES, V6E_ZONES

HEAD = ("region", "zones", "provisioning", "$ a chip and hour", "read", "")


def table(today: date) -> str:
    """Returns the table, one line for each reading of a price."""
    rows = [HEAD, *(row for region in REGIONS for row in _rows(region, today))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
    sources = sorted(
        {each.source for region in REGIONS for readings in region.prices.values() for each in readings}
    )
    return "\n".join(
        [
            *lines,
            "",
            f"zones: {V6E_ZONES.source}, flex-start {FLEX_START_ZONES.source}, read {V6E_ZONES.read}",
            f"prices: {'; '.join(sources)}",
        ]
    )


def _rows(region: Region, today: date) -> Iterator[tuple[str, ...]]:
    flex_start = (*region.flex_start_zones, *(f"{zone} (granted)" for zone in region.flex_start_granted))
    for provisioning, readings in region.prices.items():
        zones = flex_start if provisioning == "flex-start" else region.zones
        shown = ", ".join(zones) or "none listed"
        for price in readings:
            dollars = f"{price.dollars_per_chip_hour:g}"
            yield region.name, shown, provisioning, dollars, str(price.read), _notes(price, readings, today)


def _notes(price: Price, readings: tuple[Price, ...], today: date) -> str:
    notes: list[str] = []
    if is_unusable(price.read, today):
        notes.append(f"not used: older than {REFUSE_AFTER.days} days")
    elif is_old(price.read, today):
        notes.append(f"older than {WARN_AFTER.days} days")
    if any(other.dollars_per_chip_hour != price.dollars_per_chip_hour for other in readings):
        notes.append("sources disagree: " + ("used" if price is readings[0] else "not used"))
    return "; ".join(notes)
