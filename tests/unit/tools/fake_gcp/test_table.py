"""The provider's table: the SDK that it belongs to, the words that it takes, and the plans under it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.tools.fake_gcp.inputs import TABLE, TOKENS, around, fields, listed, plain
from tools.fake_gcp import derive, limits
from tools.fake_gcp.checks import check, values
from tools.fake_gcp.cloud import operations
from tools.fake_gcp.schema import kind, provider, sdk
from tools.fake_gcp.schema.example_parts import CONFIG
from tools.fake_gcp.schema.examples import EXAMPLES

PLANS = sorted((Path(__file__).parents[3] / "inventory").glob("*.yaml"))


@pytest.mark.parametrize("token", TOKENS)
def test_each_list_of_words_is_taken_and_no_other_word(token: str) -> None:
    of = kind.every()[token]
    for path, way in fields(of):
        words = TABLE["types"][token].get("values", {}).get(path, "").split()
        for word in words:
            value = [word] if way[-1].type == "list" else word
            assert list(check.provider_problems(of, around(path, way, value))) == [], path
        if words:
            value = ["NO SUCH WORD"] if way[-1].type == "list" else "NO SUCH WORD"
            [(_, sentence)] = check.provider_problems(of, around(path, way, value))
            assert f"the provider accepts {', '.join(words)}; 'NO SUCH WORD' was given" in sentence


@pytest.mark.parametrize("token", TOKENS)
def test_what_the_provider_does_not_take_is_refused(token: str) -> None:
    of = kind.every()[token]
    for path, way in fields(of):
        value = plain(of, way[-1], 0)
        if path in listed(token, "newer") | listed(token, "outputs") and value not in ({}, [{}]):
            found = [text for _, text in check.provider_problems(of, around(path, way, value))]
            assert any("is not in the schema" in text or "is set by Google" in text for text in found), path


@pytest.mark.parametrize("token", TOKENS)
def test_the_table_is_of_this_sdk(token: str) -> None:
    """Another version of the SDK may describe other words, or other inputs: then derive the table again."""
    of, entry = kind.every()[token], TABLE["types"][token]
    assert TABLE["sdk"] == f"pulumi-gcp {sdk.version()}"
    assert derive.allowed(of) == entry.get("values", {})
    known = {path for path, _ in fields(of)}
    for name in ("replaces", "filled", "sets", "newer"):
        assert listed(token, name) <= known, name
    assert {*entry.get("defaults", {}), *entry.get("values", {})} <= known


@pytest.mark.parametrize("token", TOKENS)
def test_each_output_is_one_of_the_providers(token: str) -> None:
    of = kind.every()[token]
    inputs = EXAMPLES[token]
    identity = values.identity(of, inputs, CONFIG)
    assert identity
    given = operations.new_entry(of, identity, inputs, CONFIG)["outputs"]
    real = {path.split(".")[0] for path in listed(token, "outputs")} | set(sdk.resource(token) or {})
    assert set(given) <= real


def test_the_readme_lists_what_the_stand_in_cannot_know() -> None:
    _, lists, _ = limits.parts()
    assert lists == limits.text(), "write the lists again: python -m tools.fake_gcp.limits"


POOL = "gcp:container/nodePool:NodePool"
CLUSTER = "gcp:container/cluster:Cluster"
BACKEND = "gcp:compute/regionBackendService:RegionBackendService"
RULE = "gcp:compute/forwardingRule:ForwardingRule"
URL_MAP = "gcp:compute/regionUrlMap:RegionUrlMap"
IMAGES = "gcp:artifactregistry/repository:Repository"
RECORD = "gcp:dns/recordSet:RecordSet"
LAUNCH = {
    "exclusionName": "launch",
    "startTime": "2026-12-20T00:00:00Z",
    "endTime": "2027-01-05T00:00:00Z",
}

REFUSED: tuple[tuple[str, dict[str, Any], str], ...] = (
    # What google-beta 8.0.0 refused on 2026-11-28, though Google's own documents allow it.
    (POOL, {"upgradeSettings": {"strategy": "SHORT_LIVED"}}, "the provider accepts SURGE, BLUE_GREEN;"),
    (
        CLUSTER,
        {"datapathProvider": "MIGRATE_TO_ADVANCED_DATAPATH"},
        "'MIGRATE_TO_ADVANCED_DATAPATH' was given",
    ),
    (
        CLUSTER,
        {"maintenancePolicy": {"maintenanceExclusions": [LAUNCH]}},
        "maintenancePolicy needs dailyMaintenanceWindow or recurringWindow",
    ),
    (BACKEND, {"loadBalancingScheme": "EXTERNAL_PASSTHROUGH"}, "'EXTERNAL_PASSTHROUGH' was given"),
    (RULE, {"loadBalancingScheme": "EXTERNAL_PASSTHROUGH"}, "'EXTERNAL_PASSTHROUGH' was given"),
    (RULE, {"loadBalancingScheme": "INTERNAL_SELF_MANAGED"}, "'INTERNAL_SELF_MANAGED' was given"),
    (IMAGES, {"mode": "AOSS_REPOSITORY"}, "'AOSS_REPOSITORY' was given"),
    (IMAGES, {"mode": "ASSURED_OSS_REPOSITORY"}, "'ASSURED_OSS_REPOSITORY' was given"),
    (
        "gcp:compute/subnetwork:Subnetwork",
        {"secondaryIpRanges": [{"rangeName": "No Name", "ipCidrRange": "10.4.0.0/14"}]},
        "The range name 'No Name' must be",
    ),
    (RECORD, {"name": "api.llm.example.com"}, "must end with a dot"),
    (RECORD, {"rrdatas": None}, "takes exactly one of rrdatas, routingPolicy; set: none"),
    ("gcp:compute/router:Router", {"bgp": {"asn": 65535}}, "64512 to 65534 or 4200000000 to 4294967294"),
    ("gcp:serviceaccount/account:Account", {"accountId": ""}, "The service account id '' has 0 characters"),
    ("gcp:projects/iAMMember:IAMMember", {"member": ""}, "'' is no principal"),
    (
        "gcp:compute/reservation:Reservation",
        {"specificReservation": {"count": 0, "instanceProperties": {"machineType": "ct6e-standard-4t"}}},
        "specificReservation.count is at least 1, not 0",
    ),
    (URL_MAP, {"defaultService": None}, "A URL map needs one of defaultService"),
    (
        "gcp:compute/resizeRequest:ResizeRequest",
        {"requestedRunDuration": {"seconds": "a week"}},
        "takes a number here, and 'a week' is none",
    ),
)


@pytest.mark.parametrize(("token", "changes", "sentence"), REFUSED)
def test_what_the_real_provider_refused(token: str, changes: dict[str, Any], sentence: str) -> None:
    inputs = {name: value for name, value in {**EXAMPLES[token], **changes}.items() if value is not None}
    found = [text for _, text in check.check(token, inputs, CONFIG)]
    assert any(sentence in text for text in found), found


@pytest.fixture(params=PLANS, ids=[path.stem for path in PLANS])
def planned(request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    """Google's resources in one stack's plan, by type and name."""
    found = yaml.safe_load(request.param.read_text("utf-8"))["resources"]
    return {key: entry for key, entry in found.items() if key.split("::")[0] in TOKENS}


def test_no_plan_holds_what_the_provider_refuses(planned: dict[str, dict[str, Any]]) -> None:
    for key, entry in planned.items():
        of = kind.every()[key.split("::")[0]]
        assert list(check.provider_problems(of, entry.get("inputs", {}))) == [], key


def test_no_planned_resource_is_replaced_under_its_own_id_new_first(
    planned: dict[str, dict[str, Any]],
) -> None:
    """Google answers 409 already exists to the creation of the new one."""
    for key, entry in planned.items():
        assert meets_itself(key.split("::")[0], entry) == [], key


def meets_itself(token: str, entry: Mapping[str, Any]) -> list[str]:
    """Return inputs of a planned resource that replace it, new first, and are no part of its id."""
    of, inputs = kind.every()[token], entry.get("inputs", {})
    # A name that the provider makes of a prefix is new each time.
    if "{serial}" in of.id or "namePrefix" in inputs or entry.get("deleteBeforeReplace"):
        return []
    if provider.deletes_first(token, inputs, inputs, ()):
        return []
    # The real id of a grant ends in its condition's title.
    names = {path for path, way in fields(of) if len(way) == 1} - {"condition"}
    # A project has one number.
    names -= {"project"} if "{number}" in of.id else set()
    return sorted(name for name in names & listed(token, "replaces") if f"{{{name}}}" not in of.id)
