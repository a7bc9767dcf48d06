"""Memory and disk that the machine around the chips needs for a model's weights.

No boot log tells a host's peak, so these are assumptions, generous on purpose: a server that its own memory
limit kills while it loads starts again, and again.
"""

import math
from dataclasses import dataclass

from serving.messages.units import GIB

PROCESS_BYTES = 64 * GIB
"""Processes, the compiler's threads, and what they share. Assumed."""
IMAGE_BYTES = 19_500_000_000
"""The server's image unpacked (vllm-project/tpu-inference pull request 1245)."""
IMAGE_ROOM_BYTES = math.ceil(IMAGE_BYTES / 1e9) * 10**9
"""Disk space reserved for the image."""


@dataclass(frozen=True)
class HostNeeds:
    """Bytes of one server on its host.

    `server_bytes` is memory of the container: the weights as read and once more while they are laid out for
    the chips, and the processes. `file_cache_bytes` is a cache of the weights in memory, where storage is
    read through one: the weights and a tenth. `disk_bytes` is what the node's disk holds where the weights
    are copied to it: the weights and the image.
    """

    server_bytes: int
    file_cache_bytes: int
    disk_bytes: int


def needs(weight_bytes: int) -> HostNeeds:
    """What a server with these weights needs of its host."""
    return HostNeeds(
        server_bytes=server_bytes(weight_bytes),
        file_cache_bytes=file_cache_bytes(weight_bytes),
        disk_bytes=weight_bytes + IMAGE_ROOM_BYTES,
    )


def server_bytes(weight_bytes: int) -> int:
    """Memory of a server with these weights."""
    return 2 * weight_bytes + PROCESS_BYTES


def file_cache_bytes(weight_bytes: int) -> int:
    """Memory of a cache of these weights."""
    return weight_bytes * 11 // 10
