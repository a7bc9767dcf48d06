"""The pod that stages weights: a pure function, like the server's own."""

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core.v1 import PodSpecArgsDict, VolumeArgsDict, VolumeMountArgsDict

from components import unprivileged
from serving.deploy import container_layout

TOKEN_FILE = "hugging-face-token"
SCRIPT = "stage_weights.py"


@dataclass(frozen=True, kw_only=True)
class Weights:
    """One revision of a model, as `repository` has it, to be kept in `bucket` under `directory`."""

    repository: str
    revision: str
    model: str
    bytes: int
    bucket: pulumi.Input[str]

    @property
    def directory(self) -> str:
        """Where in the bucket the folder with the model's name is; a revision never changes."""
        return f"weights/{self.revision}"


def staging_pod(
    weights: Weights,
    *,
    image: pulumi.Input[str],
    account: str,
    script_config_map: str,
    token: VolumeArgsDict | None,
) -> PodSpecArgsDict:
    """The server's image runs the script: it has the two libraries that this takes, and is there anyway."""
    command: list[pulumi.Input[str]] = ["python3", f"{container_layout.AGENT}/{SCRIPT}"]
    command += ["--repository", weights.repository, "--revision", weights.revision]
    command += ["--bucket", weights.bucket, "--prefix", f"{weights.directory}/{weights.model}"]
    volumes: list[VolumeArgsDict] = [
        {"name": "script", "config_map": {"name": script_config_map}},
        {"name": "tmp", "empty_dir": {"size_limit": "1Gi"}},
    ]
    mounts: list[VolumeMountArgsDict] = [
        {"name": "script", "mount_path": container_layout.AGENT, "read_only": True},
        {"name": "tmp", "mount_path": "/tmp"},
    ]
    if token is not None:
        volumes.append(token)
        mounts.append({"name": token["name"], "mount_path": container_layout.SECRETS, "read_only": True})
        command += ["--token-file", f"{container_layout.SECRETS}/{TOKEN_FILE}"]
    return {
        "service_account_name": account,
        "automount_service_account_token": False,
        "restart_policy": "Never",
        "security_context": unprivileged.POD,
        "containers": [
            {
                "name": "stage",
                "image": image,
                "command": command,
                "env": [{"name": "HOME", "value": "/tmp"}],
                # Four files at a time, each held in memory by the piece.
                "resources": {
                    "requests": {"cpu": "2", "memory": "4Gi"},
                    "limits": {"memory": "4Gi"},
                },
                "security_context": unprivileged.CONTAINER,
                "volume_mounts": mounts,
            }
        ],
        "volumes": volumes,
    }
