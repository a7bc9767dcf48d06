"""The accelerator table agrees with itself."""

import pytest

from serving.hardware.accelerators import ACCELERATORS, DEFAULT_ACCELERATOR, OFFERED, accelerator
from serving.messages.units import GIB


@pytest.mark.parametrize("row", ACCELERATORS.values(), ids=list(ACCELERATORS))
def test_the_topology_has_as_many_chips_as_the_row_says(row) -> None:
    rows, columns = row.gke_topology.split("x")
    assert int(rows) * int(columns) == row.chips


def test_the_stand_in_wears_the_labels_of_the_slice_that_it_stands_for() -> None:
    real, stand_in = accelerator("v6e-4"), accelerator("local-v6e-4")
    assert (stand_in.chips, stand_in.gke_accelerator, stand_in.gke_topology) == (
        real.chips,
        real.gke_accelerator,
        real.gke_topology,
    )
    assert stand_in.is_stand_in and not real.is_stand_in


def test_usable_memory_is_below_the_data_sheet_and_the_slice_is_the_sum_of_its_chips() -> None:
    real = accelerator(DEFAULT_ACCELERATOR)
    assert real.hbm_bytes_per_chip < 32 * GIB
    assert real.hbm_bytes == 4 * real.hbm_bytes_per_chip


def test_hosts_have_the_memory_that_their_logs_show() -> None:
    """Available beside the weights in memory: 642.90 GiB and 48.07, 140.04 and 22.28."""
    for name, gib in (("v6e-4", 642.90 + 48.07), ("v6e-1", 140.04 + 22.28)):
        memory = accelerator(name).host_memory_bytes
        assert memory is not None and gib * GIB <= memory <= 1.1 * gib * GIB


def test_every_offered_slice_can_be_bought_somewhere_with_a_disk() -> None:
    assert [row.name for row in OFFERED] == ["v6e-1", "v6e-4", "v6e-8"]
    for row in OFFERED:
        assert row.zones and row.machine_type and row.runtime_version
        assert row.disk_types and all(disk.startswith("hyperdisk-") for disk in row.disk_types)
