"""Table of TPU slices, one row each, with the source of every number.

A value that no public source states, or about which sources disagree, is None; code that needs it refuses
with a sentence. Sizes are bytes. A GB in Google's tables is 10^9 bytes for rates and HBM, and a GiB for the
memory of hosts: beside 48.07 GiB of weights in its memory a ct6e-standard-4t, 720 GB there, logged 642.90 GiB
available (xbill9/gemma4-dev, 2026-09-26-tp4), more than 720 * 10^9 bytes are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from serving.hardware.zones import V6E_ZONES
from serving.messages.suggest import unknown
from serving.messages.units import GIB, MIB

GB = 10**9

STAND_IN = "local-v6e-4"
"""Name of the row for a machine that replaces a slice in the local stack."""

# A v6e chip has 32 GB of HBM (cloud.google.com/tpu/docs/v6e), of which programs may use 31.2415 GiB: the
# limit in the log of a v6e-4 (xbill9/gemma4-dev, 2026-09-26-tp4). Other logs and libtpu 0.0.48's own compiler
# ("exceeds available HBM (31.24G)") show two decimals of it.
V6E_USABLE_HBM_BYTES = int(31.2415 * GIB)

# v6e machines take no Persistent Disk (cloud.google.com/tpu/docs/setup-persistent-disk).
V6E_DISK_TYPES = ("hyperdisk-balanced", "hyperdisk-ml")


@dataclass(frozen=True)
class Accelerator:
    """One slice on one host. None means that no public source states the value, or that sources disagree."""

    name: str
    chips: int
    hbm_bytes_per_chip: int
    """HBM that programs may use, which is less than the data sheet's size."""
    gke_accelerator: str
    """Value of the node label that the workload selects, as is the next field."""
    gke_topology: str
    """Rows and columns of chips, `2x2`."""
    generation: str
    host_memory_bytes: int | None
    vcpus: int | None
    machine_type: str | None
    offered: bool
    """True if a stack can ask for the slice; others are here to compare published boots with."""
    tpu_type: str | None
    """Name in the Cloud TPU API, as is the next field."""
    runtime_version: str | None
    zones: tuple[str, ...]
    disk_types: tuple[str, ...]
    hbm_bytes_per_second: int | None
    """Peak rate of one chip, as is the next field."""
    bf16_flops: int | None
    expert_parallel_tokens: int | None
    """Largest step for which the pinned wheels compile --enable-expert-parallel; None if no limit is
    known."""

    @property
    def hbm_bytes(self) -> int:
        """Usable HBM of the whole slice."""
        return self.chips * self.hbm_bytes_per_chip

    @property
    def is_stand_in(self) -> bool:
        """True for the CPU stand-in, which has no price, no zone and no meaningful speed."""
        return self.machine_type is None


def _v6e(name: str, chips: int, machine_type: str, topology: str, memory: int, vcpus: int) -> Accelerator:
    return Accelerator(
        name=name,
        chips=chips,
        hbm_bytes_per_chip=V6E_USABLE_HBM_BYTES,
        gke_accelerator="tpu-v6e-slice",
        gke_topology=topology,
        generation="v6e",
        host_memory_bytes=memory,
        vcpus=vcpus,
        machine_type=machine_type,
        offered=True,
        tpu_type=name,
        runtime_version="v2-alpha-tpuv6e",
        zones=V6E_ZONES.zones,
        disk_types=V6E_DISK_TYPES,
        hbm_bytes_per_second=1638 * GB,
        bf16_flops=918 * 10**12,
        # Compiled for v6e:2x2 with libtpu 0.0.48's compile-only client from tpu-inference 0.32.0: steps of
        # 1,024, 2,048 and 4,096 tokens raise NotImplementedError in the ragged gather kernel, which was tuned
        # for 16 row partitions where v6e has 8 SparseCore lanes; 512 and below compile.
        expert_parallel_tokens=512,
    )


_ROWS = (
    # Sources disagree about the memory of the 1-chip machine, 176 and 448: beside 22.28 GiB of weights one
    # logged 140.04 GiB available (xbill9/gemma4-dev, 2026-09-26-override), so 176. GKE's table has 180 vCPUs
    # for the 8-chip machine and Compute Engine's 360. It runs one thread on each core, and the 4-chip machine
    # two (test of GetThreadsPerCore in a published cluster autoscaler for GKE), so 180.
    _v6e("v6e-1", 1, "ct6e-standard-1t", "1x1", 176 * GIB, 44),
    _v6e("v6e-4", 4, "ct6e-standard-4t", "2x2", 720 * GIB, 180),
    _v6e("v6e-8", 8, "ct6e-standard-8t", "2x4", 1440 * GIB, 180),
    Accelerator(
        # Not offered: no proof was compiled for v5e, and no list of its zones and disks was read. Two sources
        # of the HBM's rate disagree (819 GB/s and 800 GiB/s), so it is None.
        name="v5e-1",
        chips=1,
        # The logs of two boots show 15.75 GiB; their KV pages at 0.92 and 0.95 need 15.747.
        hbm_bytes_per_chip=int(15.747 * GIB),
        gke_accelerator="tpu-v5-lite-podslice",
        gke_topology="1x1",
        generation="v5e",
        # 24 vCPUs and 48 GB in Compute Engine's catalog; a host of it logged 46.5 GiB.
        host_memory_bytes=48 * GIB,
        vcpus=24,
        machine_type="ct5lp-hightpu-1t",
        offered=False,
        tpu_type="v5litepod-1",
        runtime_version="v2-alpha-tpuv5-lite",
        zones=(),
        disk_types=(),
        hbm_bytes_per_second=None,
        bf16_flops=197 * 10**12,
        expert_parallel_tokens=None,
    ),
    Accelerator(
        # JAX's CPU backend with four forced host devices. The node has the labels of a real v6e-4, so that
        # the workload selects it unchanged. Its HBM is the size that the image's CPU backend reports.
        name=STAND_IN,
        chips=4,
        hbm_bytes_per_chip=128 * MIB,
        gke_accelerator="tpu-v6e-slice",
        gke_topology="2x2",
        generation="cpu",
        host_memory_bytes=None,
        vcpus=None,
        machine_type=None,
        offered=True,
        tpu_type=None,
        runtime_version=None,
        zones=(),
        disk_types=(),
        hbm_bytes_per_second=None,
        bf16_flops=None,
        expert_parallel_tokens=None,
    ),
)

DEFAULT_ACCELERATOR = "v6e-4"

ACCELERATORS: Mapping[str, Accelerator] = MappingProxyType({row.name: row for row in _ROWS})

OFFERED: tuple[Accelerator, ...] = tuple(
    sorted(
        (row for row in _ROWS if row.offered and not row.is_stand_in),
        key=lambda row: row.hbm_bytes,
    )
)
"""Slices of Google Cloud that a stack can ask for, smallest first."""


def accelerator(name: str) -> Accelerator:
    """Returns the row of this name. Raises ValueError with the known names and the nearest."""
    if name in ACCELERATORS:
        return ACCELERATORS[name]
    raise ValueError(unknown("accelerator", name, ACCELERATORS))
