"""The output `cost`: sums by hand, what a rollout adds, and what has no price."""

import json
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from config.footprint import footprint
from config.settings import Settings
from config.targets import GkeTarget, TpuVmTarget
from serving.deploy.record import Record, parse
from serving.hardware.prices import CLUSTER_FEE, REFUSE_AFTER, WARN_AFTER
from serving.hardware.regions import Provisioning
from stacks.cost_lines import cost
from stacks.output_lines import LONGEST
from tests import promoted
from tests.unit.releases.stacks import DESCRIBED, planned, write

TODAY = date(2026, 10, 15)
READ = date(2026, 8, 11)
GKE = {"kind": "gke", "project": "a-project", "zone": "us-east5-b", "capacity": {"kind": "spot"}}
EXISTING = {**GKE, "cluster": {"kind": "existing", "name": "shared", "location": "us-east5"}}
TPU_VM = {**GKE, "kind": "tpu-vm"}
ENDPOINT = {"endpoint": {"hostname": "tpuserve.example.org"}}

NODES = "not priced: 1 to 3 e2-standard-4 for the cluster, each with 100 GB of pd-balanced"
FEE = "$0.10 an hour, $73 a month for the cluster (GKE's fee, price read 2026-10-01)"
BALANCER = "not priced: the load balancer, and the traffic through it"
TRAFFIC = (
    "not priced: traffic, such as 52 GB of weights from the bucket to a slice at each boot, and the "
    "foundation's NAT and storage"
)


def lines(
    target: dict[str, Any],
    options: Sequence[Provisioning] = ("on-demand",),
    today: date = TODAY,
    region: str = "us-east5",
    accepted: Record | None = None,
    **changes: Any,
) -> list[str]:
    """Returns the lines of a stack."""
    settings = Settings.parse({**DESCRIBED, "target": target, **changes})
    assert isinstance(settings.target, GkeTarget | TpuVmTarget)
    found = cost(footprint(settings, settings.target), settings.model_spec, region, options, today, accepted)
    assert [line for line in found if len(line) > LONGEST or "\n" in line] == []
    return found


CASES: tuple[tuple[dict[str, Any], Sequence[Provisioning], dict[str, Any], list[str]], ...] = (
    (
        GKE | ENDPOINT,
        ("on-demand",),
        {"replicas": 2},
        [
            "$21.60 an hour, $15,768 a month of 730 hours for 2 v6e-4 (on-demand, us-east5, price read "
            "2026-08-11)",
            FEE,
            NODES,
            "not priced: 400 GB of hyperdisk-balanced for the slices",
            BALANCER,
            TRAFFIC,
        ],
    ),
    (
        GKE,
        ("spot",),
        {"replicas": 3, "rollout": {"surge": 1}},
        [
            "$16.84 an hour, $12,293 a month of 730 hours for 3 v6e-4 (spot, us-east5, price read "
            "2026-08-11); $5.61 an hour more during a release",
            FEE,
            NODES,
            "not priced: 600 GB of hyperdisk-balanced for the slices; 200 GB more during a release",
            TRAFFIC,
        ],
    ),
    (
        EXISTING,
        ("on-demand", "flex-start", "commitment-1y", "commitment-3y"),
        {"accelerator": "v6e-8"},
        [
            "$21.60 an hour, $15,768 a month of 730 hours for 1 v6e-8 (on-demand, us-east5, price read "
            "2026-08-11)",
            "else $11.20 an hour, $8,176 a month of 730 hours for 1 v6e-8 (flex-start, us-east5, price read "
            "2026-08-11)",
            "else $15.12 an hour, $11,038 a month of 730 hours for 1 v6e-8 (commitment-1y, us-east5, price "
            "read 2026-08-07)",
            "else not priced: commitment-3y slices in us-east5, for which serving/hardware/regions.py has no "
            "price of the last year",
            "not priced: 200 GB of hyperdisk-balanced for the slices",
            TRAFFIC,
            "another reading of the flex-start price in us-east5 makes it $10.80 an hour (read 2026-08-07)",
        ],
    ),
    (
        TPU_VM,
        ("spot",),
        {"replicas": 2},
        [
            "$11.23 an hour, $8,195 a month of 730 hours for 2 v6e-4 (spot, us-east5, price read 2026-08-11)",
            "not priced: 248 GB of hyperdisk-balanced for the slices",
            TRAFFIC,
        ],
    ),
)


@pytest.mark.parametrize(("target", "options", "changes", "expected"), CASES)
def test_the_lines_of_a_stack(
    target: dict[str, Any], options: Sequence[Provisioning], changes: dict[str, Any], expected: list[str]
) -> None:
    assert lines(target, options, **changes) == expected


def test_the_longest_numbers_still_fit_a_line() -> None:
    lines(GKE | ENDPOINT, ("on-demand",), region="asia-northeast1", replicas=400, rollout={"surge": 1})


@pytest.mark.parametrize(
    ("today", "line"),
    [
        (READ + WARN_AFTER, None),
        (
            READ + WARN_AFTER + timedelta(1),
            "a price of 2026-08-11 is more than 90 days old: check it in the Cloud Billing Catalog before "
            "you rely on it",
        ),
        (
            READ + REFUSE_AFTER + timedelta(1),
            "a price of 2026-10-01 is more than 90 days old: check it in the Cloud Billing Catalog before "
            "you rely on it",
        ),
    ],
)
def test_old_prices_carry_a_warning(today: date, line: str | None) -> None:
    found = lines(GKE, today=today)
    assert found[-1] == (line or TRAFFIC)
    assert lines(GKE, today=today + timedelta(1))[:-1] == found[:-1] or line is None


def test_a_fee_that_is_too_old_is_not_shown() -> None:
    found = lines(GKE, today=CLUSTER_FEE.read + REFUSE_AFTER + timedelta(1))
    assert found[:2] == [
        "not priced: on-demand slices in us-east5, for which serving/hardware/regions.py has no price of the "
        "last year",
        "not priced: the cluster, whose fee was read on 2026-10-01: read it again in "
        "https://cloud.google.com/kubernetes-engine/pricing",
    ]
    assert not any("$" in line or "days old" in line for line in found)


def accepted(folder: Path, ladder: list[dict[str, Any]]) -> Record:
    """Returns the record of a release that was accepted with this ladder."""
    write(folder, "staging")
    record = promoted.accepted(planned(folder, "staging"))
    record["verdict"]["ladder"] = ladder
    return parse(json.dumps(record), "the record")


def test_tokens_cost_what_the_acceptance_measured(tmp_path: Path) -> None:
    """1,982 output tokens a second at 16 requests is what the published v6e-4 run measured."""
    cells = [
        {"concurrency": 1, "output_tokens_per_second": 190.0},
        {"concurrency": 16, "output_tokens_per_second": 1982.0},
    ]
    record = accepted(tmp_path, cells)
    assert lines(GKE, accepted=record, replicas=2)[1] == (
        "$1.51 a million output tokens of one server under constant load (on-demand), 16 requests at once: "
        f"acceptance of {record.release}"
    )


@pytest.mark.parametrize("ladder", [[], [{"concurrency": 1, "output_tokens_per_second": 0.0}]])
def test_without_a_measurement_no_price_of_tokens_is_shown(
    ladder: list[dict[str, Any]], tmp_path: Path
) -> None:
    assert lines(GKE, accepted=accepted(tmp_path, ladder)) == lines(GKE)
