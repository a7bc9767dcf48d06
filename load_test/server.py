"""Running server of a stack, read from its pods: what a Job beside it needs. Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from load_test.ladders import Ladder, Limits
from serving.deploy import container_layout

RELEASE_LABEL = "tpuserve/release"
ACCEPTANCE = "gate"
"""Name of the ladder that acceptance climbs."""
STORAGE_VARIABLES = ("STORAGE_EMULATOR_HOST",)
"""Variables of a client of the bucket (agent/store/gcp_api.py)."""

FUSE = "gcsfuse.csi.storage.gke.io"
"""Driver that shows the bucket as files. Its file cache is memory; to read a tokenizer needs none."""


@dataclass(frozen=True)
class Server:
    """One ready server pod. Manifests are those of the Kubernetes API."""

    release: str
    model: str
    model_folder: str
    program: str
    limits: Limits
    address: str
    node: str
    image: str
    service_account: str
    pod_security: Mapping[str, Any]
    container_security: Mapping[str, Any]
    tolerations: Sequence[Mapping[str, Any]]
    models: Mapping[str, Any]
    """Volume that holds the model's folder."""
    api_key: Mapping[str, Any] | None
    """Volume with the API key; None when clients need none."""
    settings_map: str
    """Name of the ConfigMap with the settings of the server's sidecar."""
    storage_environment: Mapping[str, str]
    """Variables with which the sidecar finds the bucket."""

    @property
    def from_bucket(self) -> bool:
        """Returns whether the models' volume shows a bucket."""
        return self.models.get("csi", {}).get("driver") == FUSE


@dataclass(frozen=True)
class SidecarSettings:
    """Settings that the load test shares with the server's sidecar: the ladder of acceptance, and the bucket
    with the slice's baseline. Both are None on a cluster without a bucket."""

    acceptance: Ladder
    bucket: str | None
    baseline: str | None


def sidecar_settings(config_map: Mapping[str, Any]) -> SidecarSettings:
    """Returns the settings in the sidecar's ConfigMap."""
    document = json.loads(config_map["data"][Path(container_layout.SIDECAR_FILE).name])
    asked: Mapping[str, Any] = document["acceptance"]["ladder"]
    store: Mapping[str, Any] = document["store"] or {}
    return SidecarSettings(
        acceptance=Ladder(
            name=ACCEPTANCE,
            purpose="the ladder of acceptance",
            concurrency=tuple(asked["concurrency"]),
            prompt_tokens=(asked["prompt_tokens"],),
            output_tokens=asked["output_tokens"],
        ),
        bucket=store.get("bucket"),
        baseline=store.get("baseline"),
    )


def ready_server(pods: Sequence[Mapping[str, Any]], stack: str) -> Server:
    """Returns the server in the first ready pod. Raises ValueError when none is ready."""
    ready = [pod for pod in pods if _is_ready(pod)]
    if not ready:
        raise ValueError(
            f"No server of {stack} is ready ({len(pods)} pods): run `pulumi up` of the stack, or wait for it."
        )
    pod = min(ready, key=lambda pod: pod["metadata"]["name"])
    spec = pod["spec"]
    containers = {each["name"]: each for each in spec["containers"]}
    container = containers[container_layout.SERVER]
    argv: list[str] = container["command"]
    sidecar = containers.get(container_layout.SIDECAR)
    folder = str(Path(container_layout.SIDECAR_FILE).parent)
    settings = None if sidecar is None else _volume_at(spec, sidecar, folder)
    if sidecar is None or settings is None:
        raise ValueError(
            f"The server of {stack} has no sidecar, which knows where results are kept: run `pulumi up` of "
            "the stack with this version."
        )
    variables = {each["name"]: each["value"] for each in sidecar.get("env", [])}
    models = _volume_at(spec, container, container_layout.MODELS)
    if models is None:
        raise ValueError(
            f"The server of {stack} has no volume at {container_layout.MODELS}: deploy it again."
        )
    return Server(
        release=pod["metadata"]["labels"][RELEASE_LABEL],
        model=_flag(argv, "--served-model-name") or "",
        model_folder=next(word for word in argv if word.startswith(f"{container_layout.MODELS}/")),
        program=argv[0],
        limits=Limits(
            max_model_len=_number(argv, "--max-model-len") or 0,
            max_num_seqs=_number(argv, "--max-num-seqs") or 0,
            max_num_queued_reqs=_number(argv, "--max-num-queued-reqs"),
            max_num_queued_tokens=_number(argv, "--max-num-queued-tokens"),
        ),
        address=pod["status"]["podIP"],
        node=spec["nodeName"],
        image=container["image"],
        service_account=spec["serviceAccountName"],
        pod_security=spec["securityContext"],
        container_security=container["securityContext"],
        tolerations=spec.get("tolerations", []),
        models=_without_file_cache(models),
        api_key=_volume_at(spec, container, container_layout.SECRETS),
        settings_map=settings["configMap"]["name"],
        storage_environment={name: variables[name] for name in STORAGE_VARIABLES if name in variables},
    )


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    leaving = "deletionTimestamp" in pod["metadata"]
    return not leaving and any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _volume_at(spec: Mapping[str, Any], container: Mapping[str, Any], path: str) -> Mapping[str, Any] | None:
    """Returns the volume that the container mounts at `path`."""
    names = [mount["name"] for mount in container.get("volumeMounts", []) if mount["mountPath"] == path]
    return next((volume for volume in spec["volumes"] if volume["name"] in names), None)


def _without_file_cache(volume: Mapping[str, Any]) -> Mapping[str, Any]:
    csi = volume.get("csi")
    if csi is None or csi["driver"] != FUSE:
        return volume
    attributes = csi["volumeAttributes"]
    options = [word for word in attributes["mountOptions"].split(",") if not word.startswith("file-cache:")]
    return {**volume, "csi": {**csi, "volumeAttributes": {**attributes, "mountOptions": ",".join(options)}}}


def _flag(argv: Sequence[str], name: str) -> str | None:
    for word, following in zip(argv, [*argv[1:], ""], strict=True):
        if word == name:
            return following
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return None


def _number(argv: Sequence[str], name: str) -> int | None:
    text = _flag(argv, name)
    return int(text) if text is not None and re.fullmatch(r"\d+", text) else None
