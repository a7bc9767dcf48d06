"""Footprint of a stack: slices, disks and nodes, counted by hand."""

from typing import Any

import pytest

from config.footprint import footprint
from config.settings import Settings
from config.targets import GkeTarget, TpuVmTarget

GKE = {"kind": "gke", "project": "a-project", "zone": "us-east5-b", "capacity": {"kind": "spot"}}
EXISTING = {"cluster": {"kind": "existing", "name": "shared", "location": "us-east5"}}
VM = {**GKE, "kind": "tpu-vm"}
ZONES = {"other_zones": ["us-east5-a"], "keep_data": False}
ENDPOINT = {"endpoint": {"hostname": "tpuserve.example.org"}}


@pytest.mark.parametrize(
    ("target", "changes", "chips", "disk_gb", "others"),
    [
        (GKE, {}, 4, 200, ((1, 3), 1, 0)),
        (GKE | ENDPOINT, {"replicas": 2, "rollout": {"surge": 1}}, 12, 600, ((1, 3), 1, 1)),
        (GKE | EXISTING, {"accelerator": "v6e-8"}, 8, 200, ((0, 0), 0, 0)),
        # 51.6 GB of weights and 20 GB for the image, times 1.3, and 30 GB for the system.
        (VM, {}, 4, 124, ((0, 0), 0, 0)),
        (VM | {"keep_data": False}, {}, 4, 124, ((0, 0), 0, 0)),
        (VM | {"api": "cloud-tpu"}, {}, 4, 194, ((0, 0), 0, 0)),
        # A group over two zones makes two spare machines, if it has two to replace.
        (VM | ZONES, {"replicas": 3, "rollout": {"surge": 1}}, 20, 620, ((0, 0), 0, 0)),
        (VM | ZONES, {"replicas": 1, "rollout": {"surge": 1}}, 8, 248, ((0, 0), 0, 0)),
    ],
)
def test_what_a_stack_uses(
    target: dict[str, Any], changes: dict[str, Any], chips: int, disk_gb: int, others: object
) -> None:
    settings = Settings.parse({"target": target, "model": "gemma-4-26b-a4b-it", **changes})
    assert isinstance(settings.target, GkeTarget | TpuVmTarget)
    found = footprint(settings, settings.target)
    assert (found.most_chips, found.most_disk_gb) == (chips, disk_gb)
    assert (found.system_nodes, found.clusters, found.load_balancers) == others
