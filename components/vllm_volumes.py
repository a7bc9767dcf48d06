"""What the server's pod mounts, and where; `serving.deploy.container_layout` is the map."""

from collections.abc import Sequence
from dataclasses import dataclass

from pulumi_kubernetes.core.v1 import VolumeArgsDict, VolumeMountArgsDict

from serving.deploy import container_layout


@dataclass(frozen=True, kw_only=True)
class ServerVolumes:
    """The volumes that a kind of cluster brings, each with its name and source.

    `api_key` holds the file `api-key`, or is None where clients need none. `shared_memory` is a
    Kubernetes quantity and counts against the pod's memory. `unmounted` are for others in the pod, such as
    the sidecar of a volume driver.
    """

    models: VolumeArgsDict
    compile_cache: VolumeArgsDict
    api_key: VolumeArgsDict | None
    shared_memory: str
    unmounted: Sequence[VolumeArgsDict] = ()


def config_map_key(path: str) -> str:
    """ConfigMap keys allow no slash: `agent/server/guard.py` is stored as `agent__server__guard.py`."""
    return path.replace("/", "__")


def server_volumes(
    given: ServerVolumes, agent_config_map: str, agent_paths: Sequence[str]
) -> tuple[list[VolumeArgsDict], list[VolumeMountArgsDict]]:
    """Volumes and mounts: everything is read-only but the compile cache, /tmp and /dev/shm."""
    volumes: list[VolumeArgsDict] = [
        given.models,
        given.compile_cache,
        *given.unmounted,
        {"name": "tmp", "empty_dir": {"size_limit": "1Gi"}},
        {"name": "shm", "empty_dir": {"medium": "Memory", "size_limit": given.shared_memory}},
        {
            "name": "agent",
            "config_map": {
                "name": agent_config_map,
                "items": [{"key": config_map_key(path), "path": path} for path in agent_paths],
            },
        },
    ]
    mounts: list[VolumeMountArgsDict] = [
        {"name": given.models["name"], "mount_path": container_layout.MODELS, "read_only": True},
        {"name": given.compile_cache["name"], "mount_path": container_layout.CACHE},
        {"name": "tmp", "mount_path": "/tmp"},
        {"name": "shm", "mount_path": "/dev/shm"},
        {"name": "agent", "mount_path": container_layout.AGENT, "read_only": True},
    ]
    if given.api_key is not None:
        volumes.append(given.api_key)
        mounts.append(
            {"name": given.api_key["name"], "mount_path": container_layout.SECRETS, "read_only": True}
        )
    return volumes, mounts
