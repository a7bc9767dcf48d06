"""Machines and disks around a stack's chips: sizes that components, costs and quotas have in common.

Sizes are GB as Compute Engine counts them.
"""

import math

from serving.hardware import host_resources

TPU_NODE_DISK_GB = 200
"""Boot disk of a TPU node: 20 GB for the unpacked image, the rest for the compile cache."""

SYSTEM_MACHINE = "e2-standard-4"
"""Machine of the nodes for the cluster's system pods and for the weights Job."""
SYSTEM_NODES = (1, 3)
"""Fewest and most system nodes of a cluster."""
SYSTEM_DISK_TYPE = "pd-balanced"
SYSTEM_DISK_GB = 100
"""Boot disk of a system node: the weights Job uses the server's image, which takes 20 GB unpacked."""

VM_SYSTEM_GB = 30
"""GB for Ubuntu, its packages and its logs on a TPU VM. The accelerator image itself has 10 GB."""
VM_DISK_MARGIN = 1.3
"""Assumed: factor for unpacking an image, for logs, and for the file system."""
CLOUD_TPU_BOOT_GB = 100
"""Boot disk of a machine of the Cloud TPU API, which takes no other size."""


def vm_data_gb(weight_bytes: int) -> int:
    """Returns the size of a TPU VM's disk for weights, image and compile cache."""
    return math.ceil(host_resources.needs(weight_bytes).disk_bytes * VM_DISK_MARGIN / 1e9)


def vm_boot_gb(weight_bytes: int, *, data_disk: bool) -> int:
    """Returns the size of a TPU VM's boot disk, which also holds the data if there is no data disk."""
    return VM_SYSTEM_GB if data_disk else VM_SYSTEM_GB + vm_data_gb(weight_bytes)
