"""Zones that documents of Google list for v6e, each list with the month in which it was read.

Lists age, and Google decides: a zone that is not in a list gets a warning, never an error.
"""

from dataclasses import dataclass

from serving.hardware.regions import REGIONS


@dataclass(frozen=True)
class ZoneList:
    """Zones for one purpose, as `source` listed them in the month `read`.

    `granted` are zones that the list does not have and in which others had the capacity.
    """

    purpose: str
    zones: tuple[str, ...]
    read: str
    source: str
    granted: tuple[str, ...] = ()


V6E_ZONES = ZoneList(
    "v6e",
    tuple(zone for region in REGIONS for zone in region.zones),
    "2026-11",
    "https://cloud.google.com/tpu/docs/types-zones",
)

FLEX_START_ZONES = ZoneList(
    "v6e with flex-start",
    tuple(zone for region in REGIONS for zone in region.flex_start_zones),
    "2026-11",
    "https://cloud.google.com/kubernetes-engine/docs/concepts/dws",
    tuple(zone for region in REGIONS for zone in region.flex_start_granted),
)


def region_of(zone: str) -> str:
    """Returns the region of a zone: `us-east5` of `us-east5-b`, `us-south1` of `us-south1-ai1b`."""
    return zone.rpartition("-")[0]
