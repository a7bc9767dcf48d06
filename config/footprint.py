"""Footprint of a serving stack on Google Cloud: the slices, disks, nodes and load balancer that it uses.

Costs and quotas are computed from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from config.settings import Settings
from config.targets import GkeTarget, NewCluster, TpuVmTarget
from serving.hardware import machines
from serving.hardware.accelerators import Accelerator, accelerator


@dataclass(frozen=True)
class Disks:
    """Disks of one type on one machine. `gb` is their size together."""

    type: str
    gb: int


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """Machines, disks and load balancer of a running stack."""

    slice: Accelerator
    servers: int
    """Servers that always run, one slice each."""
    spare: int
    """Slices more, while a release replaces servers."""
    slice_disks: Disks
    """Disks of one slice's machine."""
    system_nodes: tuple[int, int]
    """Fewest and most CPU nodes; (0, 0) without a cluster of the stack's own."""
    clusters: int
    """Clusters that belong to the stack: 1 or 0."""
    load_balancers: int
    """Load balancers: 1 or 0."""

    @property
    def most_slices(self) -> int:
        """Slices during a rollout."""
        return self.servers + self.spare

    @property
    def most_chips(self) -> int:
        """Chips during a rollout."""
        return self.most_slices * self.slice.chips

    @property
    def most_disk_gb(self) -> int:
        """GB of the slices' disks during a rollout."""
        return self.most_slices * self.slice_disks.gb


def footprint(settings: Settings, target: GkeTarget | TpuVmTarget) -> Footprint:
    """Returns the footprint of a stack. Raises ValueError for an accelerator, a model or a phase that does
    not exist."""
    slice_ = accelerator(settings.accelerator)
    owns_cluster = isinstance(target, GkeTarget) and isinstance(target.cluster, NewCluster)
    return Footprint(
        slice=slice_,
        servers=settings.replicas,
        spare=settings.rollout.surge * min(settings.replicas, replaced_together(settings)),
        slice_disks=Disks(slice_.disk_types[0], _slice_disk_gb(settings, target)),
        system_nodes=machines.SYSTEM_NODES if owns_cluster else (0, 0),
        clusters=int(owns_cluster),
        load_balancers=int(target.endpoint is not None),
    )


def replaced_together(settings: Settings) -> int:
    """Returns how many servers a release may replace together, if there are as many.

    Those of a group over several zones are as many as its zones: Google accepts no smaller number
    (components/gcp/regional_instance_group.py).
    """
    target = settings.target
    return 1 + len(target.other_zones) if isinstance(target, TpuVmTarget) else 1


def _slice_disk_gb(settings: Settings, target: GkeTarget | TpuVmTarget) -> int:
    if isinstance(target, GkeTarget):
        return machines.TPU_NODE_DISK_GB
    weight_bytes = settings.model_spec.weight_bytes
    data = machines.vm_data_gb(weight_bytes) if target.keep_data else 0
    if target.api == "cloud-tpu":
        return machines.CLOUD_TPU_BOOT_GB + data
    return machines.vm_boot_gb(weight_bytes, data_disk=target.keep_data) + data
