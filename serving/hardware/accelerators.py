"""The TPU slices that tpuserve knows, one row each, with the source of every number.

Pure data. What no public source states (or where sources disagree) is None, and whoever needs it
refuses with a sentence. Sizes are bytes; GB in Google's tables are 10^9 bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from serving.messages.suggest import unknown
from serving.messages.units import GIB, MIB

GB = 10**9

STAND_IN = "local-v6e-4"
"""The row of a machine that stands in for a slice."""

# A v6e chip has 32 GB of HBM (cloud.google.com/tpu/docs/v6e), of which programs may use 31.24 GiB: the
# `bytes_limit` that the runtime reports in a v6e boot log, and the limit that libtpu 0.0.48's own
# compiler enforces ("exceeds available HBM (31.24G)").
V6E_USABLE_HBM_BYTES = int(31.24 * GIB)

# Zones of GKE and Compute Engine that offer v6e (cloud.google.com/tpu/docs/types-zones), without the
# single-tenant ones.
V6E_ZONES = (
    "us-central1-b",
    "us-east1-d",
    "us-east5-a",
    "us-east5-b",
    "europe-west4-a",
    "asia-northeast1-b",
)

# v6e machines take no Persistent Disk (cloud.google.com/tpu/docs/setup-persistent-disk).
V6E_DISK_TYPES = ("hyperdisk-balanced", "hyperdisk-ml")


@dataclass(frozen=True)
class Accelerator:
    """One slice on one host: what the scheduler, the virtual machine and the memory model need to know.

    `hbm_bytes_per_chip` is what programs may use, not the data sheet's size. `topology` is GKE's and
    Compute Engine's "rows x columns" of chips. `gke_accelerator` and `gke_topology` are the values of the
    node labels that the workload selects. `tpu_type` and `runtime_version` are the Cloud TPU API's names.
    `hbm_bytes_per_second` and `bf16_flops` are one chip's peaks. `expert_parallel_tokens` is the largest step
    for which the pinned wheels compile --enable-expert-parallel, None when there is no limit. Elsewhere None
    means: no agreed public source.
    """

    name: str
    chips: int
    hbm_bytes_per_chip: int
    gke_accelerator: str
    gke_topology: str
    generation: str
    host_memory_bytes: int | None
    vcpus: int | None
    machine_type: str | None
    tpu_type: str | None
    runtime_version: str | None
    zones: tuple[str, ...]
    disk_types: tuple[str, ...]
    hbm_bytes_per_second: int | None
    bf16_flops: int | None
    expert_parallel_tokens: int | None

    @property
    def hbm_bytes(self) -> int:
        """Usable HBM of the whole slice."""
        return self.chips * self.hbm_bytes_per_chip

    @property
    def is_stand_in(self) -> bool:
        """Whether this is a CPU that plays a slice: no price, no zone, no speed worth measuring."""
        return self.machine_type is None


def _v6e(
    name: str, chips: int, machine_type: str, topology: str, memory: int | None, vcpus: int | None
) -> Accelerator:
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
        tpu_type=name,
        runtime_version="v2-alpha-tpuv6e",
        zones=V6E_ZONES,
        disk_types=V6E_DISK_TYPES,
        hbm_bytes_per_second=1638 * GB,
        bf16_flops=918 * 10**12,
        # Compiled for v6e:2x2 with libtpu 0.0.48's compile-only client from tpu-inference 0.32.0: steps of
        # 1,024, 2,048 and 4,096 tokens raise NotImplementedError in the ragged gather kernel, which was tuned
        # for 16 row partitions where v6e has 8 SparseCore lanes; 512 and below compile.
        expert_parallel_tokens=512,
    )


_ROWS = (
    # Sources disagree about the 1-chip machine's memory (176 GB and 448 GiB) and the 8-chip one's vCPUs
    # (180 in GKE's table, 360 in Compute Engine's), so those two stay unknown.
    _v6e("v6e-1", 1, "ct6e-standard-1t", "1x1", None, 44),
    _v6e("v6e-4", 4, "ct6e-standard-4t", "2x2", 720 * GB, 180),
    _v6e("v6e-8", 8, "ct6e-standard-8t", "2x4", 1440 * GB, None),
    Accelerator(
        # JAX's CPU backend with four forced host devices. The node wears the labels of a real v6e-4, so
        # that the workload selects it unchanged; its HBM is what the image's backend pretends to have.
        name=STAND_IN,
        chips=4,
        hbm_bytes_per_chip=128 * MIB,
        gke_accelerator="tpu-v6e-slice",
        gke_topology="2x2",
        generation="cpu",
        host_memory_bytes=None,
        vcpus=None,
        machine_type=None,
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


def accelerator(name: str) -> Accelerator:
    """The row of this name. Raises ValueError with the known names, nearest first."""
    if name in ACCELERATORS:
        return ACCELERATORS[name]
    raise ValueError(unknown("accelerator", name, ACCELERATORS))
