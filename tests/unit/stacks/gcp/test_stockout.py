"""No capacity: what the user reads, for each way to buy and each API that can say so."""

from typing import Any

import pytest

from config.settings import Settings
from config.targets import GkeTarget, TpuVmTarget
from serving.hardware.accelerators import accelerator
from stacks.gcp import stockout

LATER = "or run `pulumi up` again later: it goes on where it stopped."

SENTENCES: list[tuple[dict[str, Any], str]] = [
    (
        {"kind": "gke", "zone": "us-east5-b", "capacity": {"kind": "spot"}},
        "target.capacity spot asks for a v6e-4 in us-east5-b, where Google has none free now; set "
        "target.zone to us-east5-a, set target.capacity.kind to on-demand or flex-start or reservation, "
        f"{LATER}",
    ),
    (
        {"kind": "gke", "zone": "us-east1-d", "capacity": {"kind": "on-demand"}},
        "target.capacity on-demand asks for a v6e-4 in us-east1-d, where Google has none free now; set "
        f"target.capacity.kind to spot or reservation, {LATER}",
    ),
    (
        {"kind": "gke", "zone": "us-east5-a", "capacity": {"kind": "flex-start"}},
        "target.capacity flex-start asks for a v6e-4 in us-east5-a, where Google has none free now; set "
        f"target.zone to us-east5-b, set target.capacity.kind to on-demand or spot or reservation, {LATER}",
    ),
    (
        {"kind": "tpu-vm", "zone": "europe-west4-a", "capacity": {"kind": "spot"}, "api": "cloud-tpu"},
        "target.capacity spot asks for a v6e-4 in europe-west4-a, where Google has none free now; set "
        f"target.capacity.kind to on-demand, {LATER}",
    ),
    (
        {"kind": "tpu-vm", "zone": "us-east5-b", "other_zones": ["us-east5-a"], "capacity": {"kind": "spot"}},
        "target.capacity spot asks for a v6e-4 in us-east5-b or us-east5-a, where Google has none free now; "
        f"set target.capacity.kind to on-demand or reservation, {LATER}",
    ),
]


@pytest.mark.parametrize(("wanted", "sentence"), SENTENCES, ids=[row[1][:60] for row in SENTENCES])
def test_a_stockout_is_one_sentence(wanted: dict[str, Any], sentence: str) -> None:
    target = Settings.parse({"target": {"project": "acme-tpu", **wanted}}).target
    assert isinstance(target, GkeTarget | TpuVmTarget)
    assert target.capacity.kind != "compute-class"
    assert stockout.sentence(target, accelerator("v6e-4"), target.capacity) == sentence
