"""Memory and disk that the machine around the chips needs for a model's weights.

No boot log has a host's peak, so these numbers are assumed, and generous: a server that is killed by its
memory limit while it loads would restart forever.
"""

import math
from dataclasses import dataclass

from serving.messages.units import GIB

PROCESS_BYTES = 64 * GIB
"""Memory of the processes, the compiler's threads and their shared memory. Assumed."""
IMAGE_BYTES = 19_500_000_000
"""Size of the server's image, unpacked (vllm-project/tpu-inference pull request 1245)."""
IMAGE_ROOM_BYTES = math.ceil(IMAGE_BYTES / 1e9) * 10**9
"""Disk space reserved for the image."""


@dataclass(frozen=True)
class HostNeeds:
    """Bytes that one server needs on its host."""

    server_bytes: int
    """Memory of the container: the weights twice, as read and as laid out for the chips, and the
    processes."""
    file_cache_bytes: int
    """Memory of a cache through which the weights are read: the weights and a tenth."""
    disk_bytes: int
    """Disk of a node to which the weights are copied: the weights and the image."""


def needs(weight_bytes: int) -> HostNeeds:
    """Returns the needs of a server with these weights."""
    return HostNeeds(
        server_bytes=server_bytes(weight_bytes),
        file_cache_bytes=file_cache_bytes(weight_bytes),
        disk_bytes=weight_bytes + IMAGE_ROOM_BYTES,
    )


def server_bytes(weight_bytes: int) -> int:
    """Returns the memory of a server with these weights."""
    return 2 * weight_bytes + PROCESS_BYTES


def file_cache_bytes(weight_bytes: int) -> int:
    """Returns the memory of a cache of these weights."""
    return weight_bytes * 11 // 10
