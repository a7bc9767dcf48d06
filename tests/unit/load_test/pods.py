"""A server's pod as the API server shows it, on GKE and on the local node."""

import json
from typing import Any

GKE_MODELS: dict[str, Any] = {
    "name": "models",
    "csi": {
        "driver": "gcsfuse.csi.storage.gke.io",
        "readOnly": True,
        "volumeAttributes": {
            "bucketName": "my-project-tpuserve",
            "mountOptions": "implicit-dirs,file-cache:max-size-mb:-1,uid=1000,only-dir=weights/4d7a",
        },
    },
}
LOCAL_MODELS: dict[str, Any] = {
    "name": "models",
    "persistentVolumeClaim": {"claimName": "models", "readOnly": True},
}
SETTINGS: dict[str, Any] = {"name": "sidecar", "configMap": {"name": "vllm-sidecar-1234"}}
SIDECAR: dict[str, Any] = {
    "name": "sidecar",
    "env": [
        {"name": "PYTHONPATH", "value": "/opt/tpuserve"},
        {"name": "STORAGE_EMULATOR_HOST", "value": "http://10.200.0.1:4443"},
    ],
    "volumeMounts": [{"name": "sidecar", "mountPath": "/etc/tpuserve"}],
}
KEY: dict[str, Any] = {"name": "api-key", "secret": {"secretName": "api-key", "optional": True}}


def pod(
    name: str = "vllm-ab12cd34-x",
    *,
    ready: str = "True",
    models: dict[str, Any] = LOCAL_MODELS,
    key: dict[str, Any] | None = KEY,
    flags: tuple[str, ...] = (),
    sidecar: bool = True,
) -> dict[str, Any]:
    """Returns a pod of a server."""
    mounts = [{"name": "models", "mountPath": "/models"}]
    if key is not None:
        mounts.append({"name": key["name"], "mountPath": "/run/tpuserve"})
    words = ["vllm", "serve", "/models/tiny", "--served-model-name", "tiny", "--max-model-len", "1024"]
    server = {
        "name": "vllm",
        "image": "registry/vllm@sha256:0",
        "command": [*words, "--max-num-seqs=8", *flags],
        "env": [{"name": "HOME", "value": "/tmp"}],
        "resources": {"limits": {"google.com/tpu": "4"}},
        "securityContext": {"readOnlyRootFilesystem": True},
        "volumeMounts": mounts,
    }
    return {
        "metadata": {"name": name, "labels": {"tpuserve/release": "ab12cd34"}},
        "spec": {
            "serviceAccountName": "vllm",
            "nodeName": "tpu-node",
            "securityContext": {"runAsUser": 1000, "runAsNonRoot": True},
            "tolerations": [{"key": "google.com/tpu", "operator": "Equal", "value": "present"}],
            "containers": [server, SIDECAR] if sidecar else [server],
            "volumes": [models, *([key] if key else []), SETTINGS, {"name": "shm", "emptyDir": {}}],
        },
        "status": {"podIP": "10.200.0.7", "conditions": [{"type": "Ready", "status": ready}]},
    }


def settings_map(store: dict[str, Any] | None) -> dict[str, Any]:
    """Returns the ConfigMap of the server's sidecar."""
    ladder = {"concurrency": [1, 4], "prompt_tokens": 512, "output_tokens": 32}
    return {"data": {"sidecar.json": json.dumps({"acceptance": {"ladder": ladder}, "store": store})}}
