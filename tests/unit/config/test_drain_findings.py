"""Requests that are longer than Google waits for a pod: the warning, and its advice tried."""

from typing import Any

import pytest

from config.drain_findings import MOST_GRACE_SECONDS, drain_findings
from config.selection import from_settings
from config.settings import Settings
from tests.unit.config.test_spot_findings import FLEX_START, ON_DEMAND, SPOT, settings


@pytest.mark.parametrize("capacity", [ON_DEMAND, FLEX_START, SPOT], ids=lambda each: each["kind"])
def test_the_longest_request_without_a_warning_is_the_longest_that_fits(capacity: dict[str, Any]) -> None:
    (finding,) = drain_findings(settings(capacity, 3600))
    (change,) = finding.changes
    most = change["longest_request_seconds"]
    assert isinstance(most, int)
    for seconds, warned in ((300, False), (most, False), (most + 1, True)):
        asked = settings(capacity, seconds)
        life = from_settings("mine", asked).lifecycle
        assert (life.termination_grace_seconds > MOST_GRACE_SECONDS) == warned
        assert bool(drain_findings(asked)) == warned


def test_the_warning_has_the_numbers() -> None:
    asked = settings(ON_DEMAND, 3600)
    (finding,) = drain_findings(asked)
    assert str(finding) == (
        "longest_request_seconds is 3,600: a pod may take 3,645 s to end (15 s to leave the endpoints, "
        "3,600 s for requests in flight and 30 s to free the chips), and Google ends it after 3,600 s when "
        "it upgrades the node or maintains its host; write `tpuserve:longest_request_seconds: 3555`, or keep "
        "it if clients may repeat a request."
    )
    assert finding in from_settings("mine", asked).findings


@pytest.mark.parametrize("target", [{"kind": "local"}, {"kind": "tpu-vm"}], ids=lambda each: each["kind"])
def test_only_gke_ends_pods(target: dict[str, Any]) -> None:
    place = (
        {} if target["kind"] == "local" else {"project": "acme-llm", "zone": "us-east5-b", "capacity": SPOT}
    )
    asked = Settings.parse({"target": {**target, **place}, "longest_request_seconds": 3600})
    assert drain_findings(asked) == ()
