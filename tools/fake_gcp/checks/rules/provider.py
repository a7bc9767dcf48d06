"""Rules of the provider's own validation, beyond its lists of words.

Each was tried with google-beta 8.0.0 on 2026-11-28; Google's discovery documents do not state it.
"""

import re
from collections.abc import Iterator

from tools.fake_gcp.checks.rules.base import Case, exactly_one, rule
from tools.fake_gcp.checks.shape import Problem
from tools.fake_gcp.schema.kind import UNKNOWN

PRIVATE_ASN = (range(64512, 65535), range(4200000000, 4294967295))
CLOUD_ROUTER_ASN = 16550
"""Google's own number, which Partner Interconnect needs: https://cloud.google.com/network-connectivity/docs/
interconnect/how-to/partner/creating-vlan-attachments."""


@rule("gcp:compute/subnetwork:Subnetwork")
def range_names(case: Case) -> Iterator[Problem]:
    """Require a name of RFC 1035 for each secondary range, as for every name of Compute Engine."""
    for item in case.get("secondaryIpRanges", []):
        name = item.get("rangeName")
        if name not in (None, UNKNOWN) and not re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", name):
            yield (
                "secondaryIpRanges.rangeName",
                f"The range name {name!r} must be 1 to 63 lower-case letters, digits or hyphens, begin with "
                "a letter and not end with a hyphen.",
            )


@rule("gcp:dns/recordSet:RecordSet")
def record_set(case: Case) -> Iterator[Problem]:
    """Require a full name and one kind of answer."""
    name = case.get("name")
    if name is not None and not name.endswith("."):
        yield "name", f"The DNS name {name!r} must end with a dot."
    yield from exactly_one(case, "rrdatas", "routingPolicy")


@rule("gcp:compute/router:Router")
def router(case: Case) -> Iterator[Problem]:
    """Require a number of a private autonomous system (RFC 6996)."""
    number = case.get("bgp.asn")
    private = number is None or any(number in each for each in PRIVATE_ASN)
    if not private and number != CLOUD_ROUTER_ASN:
        yield (
            "bgp.asn",
            f"bgp.asn is a private number, 64512 to 65534 or 4200000000 to 4294967294, or "
            f"{CLOUD_ROUTER_ASN}, not {number:.0f}.",
        )


@rule("gcp:compute/reservation:Reservation")
def reservation(case: Case) -> Iterator[Problem]:
    """Require at least one machine."""
    count = case.get("specificReservation.count")
    if count is not None and count < 1:
        yield "specificReservation.count", f"specificReservation.count is at least 1, not {count:.0f}."


@rule("gcp:compute/regionUrlMap:RegionUrlMap")
def url_map(case: Case) -> Iterator[Problem]:
    """Require a default for requests that no rule matches."""
    ways = ("defaultService", "defaultUrlRedirect", "defaultRouteAction")
    if not case.given(*ways):
        yield "defaultService", f"A URL map needs one of {', '.join(ways)}."


@rule("gcp:container/cluster:Cluster")
def maintenance(case: Case) -> Iterator[Problem]:
    """Require a window; the provider takes no policy that has only exclusions."""
    ways = ("dailyMaintenanceWindow", "recurringWindow")
    if case.given("maintenancePolicy") and not case.given(*(f"maintenancePolicy.{way}" for way in ways)):
        yield "maintenancePolicy", f"maintenancePolicy needs {' or '.join(ways)}."
