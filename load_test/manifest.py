"""Objects of one load test in Kubernetes: settings and program, allowed traffic, and the Job. Pure.

The Job has the server's image, account, user and volumes. It runs on the server's node, which has the
image and free processors, and requests no TPU.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agent import load_test as agent_load_test
from agent.load_test.__main__ import NO_RETRY
from load_test.ladders import Ladder
from load_test.server import Server, SidecarSettings
from serving.deploy import container_layout
from serving.deploy.ephemeral_storage import ephemeral_storage

NAME = "load-test"
LADDER_LABEL = "tpuserve/ladder"
LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/managed-by": "tpuserve"}
SETTINGS = "load-test.json"

TMP_SIZE = "2Gi"
"""Limit of /tmp on the node's disk."""

DEADLINE_SECONDS = 24 * 3600
"""Seconds after which Kubernetes ends a Job, so that a forgotten one does not use the server forever."""
KEPT_SECONDS = 24 * 3600
"""Seconds for which a finished Job and its log stay."""
RETRIES = 2
"""A killed Job starts again that often, and goes on with the missing cells."""


def objects(
    server: Server,
    ladder: Ladder,
    *,
    namespace: str,
    sidecar: SidecarSettings,
    egress: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Returns the objects. `egress` are rules of the traffic to the bucket."""
    metadata = {"name": NAME, "namespace": namespace, "labels": {**LABELS, LADDER_LABEL: ladder.name}}
    files = {SETTINGS: json.dumps(settings(server, ladder, sidecar)), **agent_load_test.files()}
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {path.replace("/", "__"): text for path, text in files.items()},
    }
    to_server = {
        "to": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": container_layout.SERVER}}}],
        "ports": [
            {"port": port, "protocol": "TCP"}
            for port in (container_layout.PORT, container_layout.SIDECAR_PORT)
        ],
    }
    traffic = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata,
        "spec": {
            "podSelector": {"matchLabels": LABELS},
            "policyTypes": ["Ingress", "Egress"],
            "egress": [to_server, *egress],
        },
    }
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            "backoffLimit": RETRIES,
            "activeDeadlineSeconds": DEADLINE_SECONDS,
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "podFailurePolicy": {
                "rules": [
                    {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [NO_RETRY]}},
                ]
            },
            "template": {
                "metadata": {"labels": LABELS, "annotations": _annotations(server)},
                "spec": _pod(server, tuple(files)),
            },
        },
    }
    return [config, traffic, job]


def settings(server: Server, ladder: Ladder, sidecar: SidecarSettings) -> dict[str, Any]:
    """Returns the document that `python3 -m agent.load_test` reads. It names the key's file, not the key."""
    return {
        "server": f"http://{server.address}:{container_layout.PORT}",
        "sidecar_metrics": f"http://{server.address}:{container_layout.SIDECAR_PORT}/metrics",
        "model": server.model,
        "tokenizer": server.model_folder,
        "program": server.program,
        "api_key_file": container_layout.API_KEY_FILE if server.api_key else None,
        "release": server.release,
        "ladder": ladder.name,
        "cells": [asdict(cell) for cell in ladder.cells],
        "bucket": sidecar.bucket,
        "baseline": sidecar.baseline,
    }


def _pod(server: Server, paths: Sequence[str]) -> dict[str, Any]:
    volumes: list[Mapping[str, Any]] = [
        server.models,
        {
            "name": "program",
            "configMap": {
                "name": NAME,
                "items": [{"key": path.replace("/", "__"), "path": path} for path in paths],
            },
        },
        {"name": "tmp", "emptyDir": {"sizeLimit": TMP_SIZE}},
    ]
    mounts: list[Mapping[str, Any]] = [
        {"name": server.models["name"], "mountPath": container_layout.MODELS, "readOnly": True},
        {"name": "program", "mountPath": container_layout.AGENT, "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},
    ]
    if server.api_key is not None:
        volumes.append(server.api_key)
        mounts.append(
            {"name": server.api_key["name"], "mountPath": container_layout.SECRETS, "readOnly": True}
        )
    variables = {
        "HOME": "/tmp",
        "USER": container_layout.SERVER,
        "PYTHONPATH": container_layout.AGENT,
        **server.storage_environment,
    }
    return {
        "restartPolicy": "Never",
        "serviceAccountName": server.service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "nodeSelector": {"kubernetes.io/hostname": server.node},
        "tolerations": list(server.tolerations),
        "securityContext": server.pod_security,
        "containers": [
            {
                "name": NAME,
                "image": server.image,
                "imagePullPolicy": "IfNotPresent",
                "command": ["python3", "-m", "agent.load_test", str(Path(container_layout.AGENT, SETTINGS))],
                "env": [{"name": name, "value": value} for name, value in sorted(variables.items())],
                # The benchmark is one process that imports vLLM; thousands of streams take one processor.
                "resources": {
                    "requests": {"cpu": "250m", "memory": "1Gi", **ephemeral_storage(TMP_SIZE)},
                    "limits": {"memory": "4Gi", **ephemeral_storage(TMP_SIZE)},
                },
                "securityContext": server.container_security,
                "volumeMounts": mounts,
            }
        ],
        "volumes": volumes,
    }


def _annotations(server: Server) -> dict[str, str]:
    """Returns the annotation with which GKE adds the sidecar of a bucket's volume."""
    return {"gke-gcsfuse/volumes": "true"} if server.from_bucket else {}
