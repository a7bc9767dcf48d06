"""Zones: a name that Google could have gets a dated warning, and only what is no zone is refused."""

from typing import Any

import pytest

from config.selection import from_settings
from config.settings import Settings
from config.zone_findings import zone_findings
from serving.hardware.prices import PRICES
from serving.hardware.zones import FLEX_START_ZONES, V6E_ZONES, region_of
from serving.messages.finding import Finding

TPU_VM = {"kind": "tpu-vm", "project": "acme-llm", "capacity": {"kind": "on-demand"}}
GKE = {"kind": "gke", "project": "acme-llm"}
FLEX_START = {"kind": "flex-start"}
FALLBACK = {"kind": "compute-class", "rungs": [{"kind": "spot"}, FLEX_START]}


def warnings(target: dict[str, Any]) -> tuple[Finding, ...]:
    return zone_findings(Settings.parse({"target": target}))


@pytest.mark.parametrize(
    ("target", "code", "advice"),
    [
        (
            {**TPU_VM, "zone": "us-south1-ai1b"}, "zone-not-listed",
            "keep it if Google offers it to your project",
        ),
        (
            {**TPU_VM, "zone": "us-east5-c"}, "zone-not-listed",
            "write `zone: us-east5-a` under tpuserve:target, or write `zone: us-east5-b` under "
            "tpuserve:target, or keep it if Google offers it to your project",
        ),
        (
            {**TPU_VM, "zone": "us-east5-a", "other_zones": ["us-east5-c"], "keep_data": False},
            "other-zone-not-listed", "keep it if Google offers it to your project",
        ),
        (
            {**GKE, "zone": "europe-west4-a", "capacity": FLEX_START}, "flex-start-zone-not-listed",
            "keep it if Google offers it to your project",
        ),
        (
            {**GKE, "zone": "europe-west4-a", "capacity": FALLBACK}, "flex-start-zone-not-listed",
            "keep it if Google offers it to your project",
        ),
    ],
)  # fmt: skip
def test_a_zone_that_is_not_listed_is_a_dated_warning(target: dict[str, Any], code: str, advice: str) -> None:
    (finding,) = warnings(target)
    assert (finding.severity, finding.code, finding.change) == ("warning", code, advice)
    assert "read in 2026-11" in finding.truth and finding.truth.endswith("; Google decides")
    for change in finding.changes:
        assert warnings({**target, "zone": change["target.zone"]}) == ()
    assert finding in from_settings("mine", Settings.parse({"target": target})).findings


def test_a_zone_in_which_others_had_flex_start_says_so() -> None:
    (finding,) = warnings({**GKE, "zone": "europe-west4-a", "capacity": FLEX_START})
    assert finding.truth.endswith(
        "us-east5-b, asia-northeast1-b, but others had capacity there; Google decides"
    )
    (other,) = warnings({**GKE, "zone": "us-central1-b", "capacity": FLEX_START})
    assert "others had capacity" not in other.truth


def test_the_advice_is_a_zone_that_the_group_does_not_have() -> None:
    (finding,) = warnings({**TPU_VM, "zone": "us-east5-c", "other_zones": ["us-east5-b"]})
    assert finding.changes == ({"target.zone": "us-east5-a"},)


@pytest.mark.parametrize("zone", V6E_ZONES.zones)
def test_a_listed_zone_has_no_warning(zone: str) -> None:
    assert warnings({**TPU_VM, "zone": zone}) == ()


@pytest.mark.parametrize(
    "zone", ["x", "us-east5", "us-east5-ab", "us-south1-ai1", "us-south1-aib", "US-EAST5-A", ""]
)
def test_what_is_no_zone_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match=r"target\.zone"):
        warnings({**TPU_VM, "zone": zone})


def test_where_the_tables_of_zones_and_prices_differ() -> None:
    """Each difference is one of sources that were read at different times; another one needs a look."""
    regions = {region_of(zone) for zone in V6E_ZONES.zones}
    flex_start = {region_of(zone) for zone in FLEX_START_ZONES.zones}
    priced = {kind: {region for region, each in PRICES if each == kind} for _, kind in PRICES}
    assert set(FLEX_START_ZONES.zones) <= set(V6E_ZONES.zones)
    assert priced["on-demand"] - regions == {"asia-south1", "europe-west2"}
    assert regions - priced["on-demand"] == set()
    assert priced["flex-start"] - flex_start == {"europe-west4"}
    assert flex_start - priced["flex-start"] == {"asia-northeast1"}
    assert priced["spot"] - regions == set()
