"""Volumes of a server's pod, and where its containers mount them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi
from pulumi_kubernetes.core.v1 import VolumeArgsDict, VolumeMountArgsDict

from serving.deploy import container_layout

TMP_SIZE = "1Gi"
"""Limit of /tmp on the node's disk. Libraries keep small files there."""
STATUS_SIZE = "16Mi"
"""Limit of the status folder on the node's disk, which has a few JSON files."""

AGENT: VolumeMountArgsDict = {"name": "agent", "mount_path": container_layout.AGENT, "read_only": True}
COMPILE_CACHE: VolumeMountArgsDict = {"name": "compile-cache", "mount_path": container_layout.CACHE}
STATUS: VolumeMountArgsDict = {"name": "status", "mount_path": container_layout.STATUS}
TMP: VolumeMountArgsDict = {"name": "tmp", "mount_path": "/tmp"}
SIDECAR_SETTINGS: VolumeMountArgsDict = {
    "name": "sidecar",
    "mount_path": str(Path(container_layout.SIDECAR_FILE).parent),
    "read_only": True,
}


@dataclass(frozen=True, kw_only=True)
class ServerVolumes:
    """Volumes that differ between kinds of clusters, each with its name and source."""

    models: VolumeArgsDict
    compile_cache_size: str
    """Limit of the compile cache on the node's disk, a Kubernetes quantity. The cache is deleted with its
    pod."""
    api_key: VolumeArgsDict | None
    """Volume with the file `api-key`; None when clients need no key."""
    shared_memory: str
    """Size of /dev/shm, a Kubernetes quantity. It counts against the pod's memory limit."""
    unmounted: Sequence[VolumeArgsDict] = ()
    """Volumes that no container mounts, for example those of a volume driver's sidecar."""


def config_map_key(path: str) -> str:
    """Returns the ConfigMap key of a file. Keys allow no slash: `agent/server/guard.py` becomes
    `agent__server__guard.py`."""
    return path.replace("/", "__")


def volumes(
    cluster: ServerVolumes,
    *,
    agent_config_map: pulumi.Input[str],
    agent_paths: Sequence[str],
    sidecar_config_map: pulumi.Input[str],
) -> list[VolumeArgsDict]:
    """Returns the pod's volumes."""
    declared: list[VolumeArgsDict] = [
        cluster.models,
        {"name": "compile-cache", "empty_dir": {"size_limit": cluster.compile_cache_size}},
        *cluster.unmounted,
        {"name": "tmp", "empty_dir": {"size_limit": TMP_SIZE}},
        {"name": "status", "empty_dir": {"size_limit": STATUS_SIZE}},
        {"name": "shm", "empty_dir": {"medium": "Memory", "size_limit": cluster.shared_memory}},
        {
            "name": "agent",
            "config_map": {
                "name": agent_config_map,
                "items": [{"key": config_map_key(path), "path": path} for path in agent_paths],
            },
        },
        {"name": "sidecar", "config_map": {"name": sidecar_config_map}},
    ]
    return [*declared, *([cluster.api_key] if cluster.api_key else [])]


def server_mounts(cluster: ServerVolumes) -> list[VolumeMountArgsDict]:
    """Returns the server's mounts. Only the compile cache, its status, /tmp and /dev/shm are writable."""
    return [
        {"name": cluster.models["name"], "mount_path": container_layout.MODELS, "read_only": True},
        COMPILE_CACHE,
        STATUS,
        TMP,
        {"name": "shm", "mount_path": "/dev/shm"},
        AGENT,
        *api_key(cluster),
    ]


def api_key(cluster: ServerVolumes) -> list[VolumeMountArgsDict]:
    """Returns the mount of the API key's file; none when clients need no key."""
    if cluster.api_key is None:
        return []
    return [
        {"name": cluster.api_key["name"], "mount_path": container_layout.SECRETS, "read_only": True},
    ]
