"""Spot capacity: the pod's sleep and its drain fit into Google's notice, and what is cut off is said."""

from typing import Any

import pytest

from config.provisioning import SPOT_STOP_SECONDS, WAIT_MINUTES
from config.selection import from_settings
from config.settings import Settings
from config.spot_findings import pod_stop_seconds, spot_findings
from serving.startup.timeouts import PRE_STOP

GKE = {"kind": "gke", "project": "acme-llm", "zone": "us-east5-b"}
ON_DEMAND, FLEX_START, SPOT = {"kind": "on-demand"}, {"kind": "flex-start"}, {"kind": "spot"}
RESERVATION = {"kind": "reservation", "name": "r"}


def settings(capacity: dict[str, Any], seconds: int = 300, **target: Any) -> Settings:
    return Settings.parse(
        {"target": {**GKE, "capacity": capacity, **target}, "longest_request_seconds": seconds}
    )


def compute_class(*rungs: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "compute-class", "rungs": list(rungs), "wait_minutes": WAIT_MINUTES}


KINDS: tuple[tuple[dict[str, Any], int, int | None], ...] = (
    (ON_DEMAND, PRE_STOP, None),
    (FLEX_START, PRE_STOP, None),
    (RESERVATION, PRE_STOP, None),
    (compute_class(ON_DEMAND, FLEX_START), PRE_STOP, None),
    (SPOT, 5, SPOT_STOP_SECONDS),
    (compute_class(FLEX_START, SPOT), 5, SPOT_STOP_SECONDS),
)


@pytest.mark.parametrize(("capacity", "pre_stop", "stop"), KINDS)
def test_each_kind_of_capacity_has_its_sleep(
    capacity: dict[str, Any], pre_stop: int, stop: int | None
) -> None:
    asked = settings(capacity)
    life = from_settings("mine", asked).lifecycle
    assert (life.pre_stop_seconds, pod_stop_seconds(asked)) == (pre_stop, stop)
    # A planned stop lets the longest request finish on every kind.
    assert life.drain_seconds == pre_stop + 300 and life.shutdown_timeout_seconds == 300
    assert bool(spot_findings(asked)) == (stop is not None)


@pytest.mark.parametrize(
    ("capacity", "named"),
    [(SPOT, "spot"), (compute_class(ON_DEMAND, SPOT), "compute-class with spot")],
)
def test_what_a_spot_stop_cuts_off_is_said(capacity: dict[str, Any], named: str) -> None:
    (finding,) = spot_findings(settings(capacity))
    assert str(finding) == (
        f"target.capacity is {named} and a request may take 300 s: when Google takes a spot node back, its "
        "pod has 15 s: 5 s to leave the endpoints and 10 s for requests in flight, and the rest of a longer "
        "answer is lost; write `capacity: {kind: on-demand}` under tpuserve:target, or write "
        "`tpuserve:longest_request_seconds: 10`, or keep it if clients may repeat a request."
    )
    assert finding in from_settings("mine", settings(capacity)).findings
    for change in finding.changes:
        kind: Any = change.get("target.capacity", capacity)
        seconds: Any = change.get("longest_request_seconds", 300)
        assert spot_findings(settings(kind, seconds)) == ()


@pytest.mark.parametrize(("seconds", "warned"), [(10, False), (11, True)])
def test_a_request_that_fits_has_no_warning(seconds: int, warned: bool) -> None:
    assert bool(spot_findings(settings(SPOT, seconds))) == warned


def test_a_tpu_vm_has_no_pod() -> None:
    assert spot_findings(settings(SPOT, kind="tpu-vm")) == ()
