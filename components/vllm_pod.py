"""The pod that serves: a pure function from a release to a Kubernetes pod template.

Kept apart from the component so that the template can be read, and tested, without an engine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core.v1 import PodSpecArgsDict, ProbeArgsDict

from components import unprivileged
from components.vllm_volumes import ServerVolumes, server_volumes
from serving.deploy import container_layout
from serving.deploy.release import Release
from serving.hardware.accelerators import Accelerator
from serving.startup.timeouts import Lifecycle


@dataclass(frozen=True, kw_only=True)
class PodArgs:
    """What one serving pod needs to know. Memory quantities are Kubernetes quantities ("8Gi").

    `image` is where this cluster pulls the release's image from; `node_selector` finds its slices.
    """

    release: Release
    image: pulumi.Input[str]
    node_selector: Mapping[str, pulumi.Input[str]]
    accelerator: Accelerator
    lifecycle: Lifecycle
    volumes: ServerVolumes
    cpu: str
    memory: str


def pod_spec(
    args: PodArgs, *, service_account: str, agent_config_map: str, agent_paths: Sequence[str]
) -> PodSpecArgsDict:
    """Build the pod. It asks for a whole slice and mounts everything read-only but cache, /tmp, /dev/shm."""
    life = args.lifecycle
    chips = {"google.com/tpu": str(args.accelerator.chips)}
    volumes, mounts = server_volumes(args.volumes, agent_config_map, agent_paths)
    return {
        "service_account_name": service_account,
        "automount_service_account_token": False,
        # A Service called vllm would otherwise set VLLM_PORT=tcp://…, which vLLM reads as its own setting.
        "enable_service_links": False,
        "node_selector": dict(args.node_selector),
        "tolerations": [
            {"key": "google.com/tpu", "operator": "Equal", "value": "present", "effect": "NoSchedule"}
        ],
        "termination_grace_period_seconds": life.termination_grace_seconds,
        "security_context": {**unprivileged.POD, "fs_group": container_layout.USER},
        "containers": [
            {
                "name": container_layout.SERVER,
                "image": args.image,
                "image_pull_policy": "IfNotPresent",
                "command": list(args.release.argv),
                "env": [{"name": name, "value": value} for name, value in args.release.environment],
                "ports": [{"name": "http", "container_port": container_layout.PORT}],
                "resources": {
                    "requests": {"cpu": args.cpu, "memory": args.memory, **chips},
                    "limits": {"memory": args.memory, **chips},
                },
                "startup_probe": _health(life, life.startup_period_seconds, life.startup_failure_threshold),
                "readiness_probe": _health(
                    life, life.readiness_period_seconds, life.readiness_failure_threshold
                ),
                "liveness_probe": _health(
                    life, life.liveness_period_seconds, life.liveness_failure_threshold
                ),
                # Requests still arrive while endpoints and proxies learn of the stop: wait before SIGTERM.
                "lifecycle": {"pre_stop": {"sleep": {"seconds": life.pre_stop_seconds}}},
                "security_context": unprivileged.CONTAINER,
                "volume_mounts": mounts,
            }
        ],
        "volumes": volumes,
    }


def _health(life: Lifecycle, period: int, failures: int) -> ProbeArgsDict:
    """vLLM opens its port before the engine exists; only `/health` says that it serves."""
    return {
        "http_get": {"path": "/health", "port": "http"},
        "period_seconds": period,
        "failure_threshold": failures,
        "timeout_seconds": life.probe_timeout_seconds,
    }
