"""Ephemeral storage of containers: the part of a node's disk that each requests, and may use at most.

The kubelet evicts a pod when a container's log is larger than the container's limit, and when the logs and
the volumes on the node's disk are together larger than the sum of the limits
(https://kubernetes.io/docs/concepts/storage/ephemeral-storage/). An eviction costs a boot. So the limits have
room for every volume up to its own limit, and one container of a pod accounts for the volumes that all share.
No container writes elsewhere, because images are read-only.
"""

KEY = "ephemeral-storage"
"""Name of the resource in requests and limits."""

LOG_MIB = 100
"""MiB of a container's log. The kubelet keeps 5 files of 10 MiB (its defaults of containerLogMaxFiles and
containerLogMaxSize, https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/). Twice that is
assumed, because a file grows until the kubelet looks at it again."""

_MIB = {"Mi": 1, "Gi": 1024}


def mib(quantity: str) -> int:
    """Returns a Kubernetes quantity of whole Mi or Gi in MiB."""
    return int(quantity[:-2]) * _MIB[quantity[-2:]]


def ephemeral_storage(*volume_limits: str) -> dict[str, str]:
    """Returns the resource of a container: its log, and the volumes with these size limits, in Mi or Gi."""
    return {KEY: f"{LOG_MIB + sum(map(mib, volume_limits))}Mi"}
