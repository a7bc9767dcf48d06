"""Zones that documents of Google list for v6e, each list with the month in which it was read.

Lists age, and Google decides: a zone that is not in a list gets a warning, never an error.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class ZoneList:
    """Zones for one purpose, as `source` listed them in the month `read`."""

    purpose: str
    zones: tuple[str, ...]
    read: str
    source: str


V6E_ZONES = ZoneList(
    "v6e",
    # Without those for single tenants: us-east4-a, us-east4-b, us-east5-c and us-west1-c.
    (
        "us-central1-b",
        "us-east1-d",
        "us-east5-a",
        "us-east5-b",
        "europe-west4-a",
        "asia-northeast1-b",
    ),
    "2026-11",
    "https://cloud.google.com/tpu/docs/types-zones",
)

FLEX_START_ZONES = ZoneList(
    "v6e with flex-start",
    ("asia-northeast1-b", "us-east5-a", "us-east5-b"),
    "2026-11",
    "https://cloud.google.com/kubernetes-engine/docs/concepts/dws",
)


def region_of(zone: str) -> str:
    """Returns the region of a zone: `us-east5` of `us-east5-b`, `us-south1` of `us-south1-ai1b`."""
    return zone.rpartition("-")[0]
