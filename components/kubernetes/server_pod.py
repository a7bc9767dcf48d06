"""Pod of a vLLM server on a Kubernetes cluster that has a TPU slice, GKE or local.

An init container restores the compile cache. The server starts. A sidecar accepts the server, and only then
the pod is ready.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core.v1 import ContainerArgsDict, EnvVarArgsDict, PodSpecArgsDict, ProbeArgsDict

from components.kubernetes import pod_volumes, security_context
from components.kubernetes.pod_volumes import ServerVolumes
from components.kubernetes.security_context import PodUser
from serving.deploy import container_layout
from serving.deploy.ephemeral_storage import ephemeral_storage
from serving.deploy.release import EVERY_ADDRESS, Release
from serving.hardware.accelerators import Accelerator
from serving.startup.timeouts import Lifecycle

TERMINATION_LOG = "/dev/termination-log"
"""Kubernetes' default terminationMessagePath. Its text is in the pod's status when the container ended."""

AGENT_MOUNTS = (
    pod_volumes.COMPILE_CACHE,
    pod_volumes.STATUS,
    pod_volumes.TMP,
    pod_volumes.AGENT,
    pod_volumes.SIDECAR_SETTINGS,
)


@dataclass(frozen=True, kw_only=True)
class PodArgs:
    """Arguments of one serving pod."""

    release: Release
    image: pulumi.Input[str]
    """Reference of the release's image in the registry that this cluster pulls from."""
    environment: Mapping[str, str]
    """Variables of the server's container: the release's, and those that belong to the stack."""
    node_selector: Mapping[str, pulumi.Input[str]]
    """Labels of the nodes that hold a slice."""
    accelerator: Accelerator
    lifecycle: Lifecycle
    volumes: ServerVolumes
    cpu: str
    """Requested CPU of the server, a Kubernetes quantity; there is no limit."""
    memory: str
    """Requested and allowed memory of the server, a Kubernetes quantity ("8Gi")."""
    storage_environment: Mapping[str, str]
    """Variables with which the agent finds its bucket; empty for Cloud Storage itself."""
    user: PodUser
    """User of all containers. They share folders, and root without capabilities may not write those of
    another user."""


def verbatim(text: str) -> str:
    """Returns a word of a command or the value of a variable so that the container gets `text` unchanged.

    Kubernetes replaces $(NAME) by a variable and $$ by $ in both (its API's Container.command, EnvVar.value).
    """
    return text.replace("$", "$$")


def pod_spec(
    args: PodArgs,
    *,
    service_account: str,
    agent_config_map: pulumi.Input[str],
    agent_paths: Sequence[str],
    sidecar_config_map: pulumi.Input[str],
) -> PodSpecArgsDict:
    """Returns the pod's specification. The server requests all chips of a slice."""
    return {
        "service_account_name": service_account,
        "automount_service_account_token": False,
        # Otherwise the Service `vllm` sets VLLM_PORT=tcp://…, which vLLM reads as one of its settings.
        "enable_service_links": False,
        "node_selector": dict(args.node_selector),
        "tolerations": [
            {"key": "google.com/tpu", "operator": "Equal", "value": "present", "effect": "NoSchedule"}
        ],
        "termination_grace_period_seconds": args.lifecycle.termination_grace_seconds,
        "security_context": {**args.user.context, "fs_group": args.user.uid},
        "init_containers": [_restore(args)],
        "containers": [_server(args), _sidecar(args)],
        "volumes": pod_volumes.volumes(
            args.volumes,
            agent_config_map=agent_config_map,
            agent_paths=agent_paths,
            sidecar_config_map=sidecar_config_map,
        ),
    }


def _server(args: PodArgs) -> ContainerArgsDict:
    lifecycle = args.lifecycle
    chips = {"google.com/tpu": str(args.accelerator.chips)}
    disk = ephemeral_storage(args.volumes.compile_cache_size, pod_volumes.TMP_SIZE, pod_volumes.STATUS_SIZE)
    return {
        "name": container_layout.SERVER,
        "image": args.image,
        "image_pull_policy": "IfNotPresent",
        "command": [verbatim(word) for word in args.release.argv(EVERY_ADDRESS)],
        "env": _variables({**args.environment, **_before_each_start(args)}),
        "ports": [
            {"name": "http", "container_port": container_layout.PORT},
            # GKE reads duty cycle and memory of the chips from a container that names libtpu's port
            # (https://cloud.google.com/kubernetes-engine/docs/how-to/tpus#metrics).
            {"name": "libtpu", "container_port": container_layout.LIBTPU_PORT},
        ],
        "resources": {
            "requests": {"cpu": args.cpu, "memory": args.memory, **disk, **chips},
            "limits": {"memory": args.memory, **disk, **chips},
        },
        # An open port is not enough: vLLM opens it before the engine exists.
        "startup_probe": _probe(
            "/health", lifecycle, lifecycle.startup_period_seconds, lifecycle.startup_failure_threshold
        ),
        # `/ready` also waits for the acceptance, which takes longer than a liveness probe would wait.
        "readiness_probe": _probe(
            "/ready", lifecycle, lifecycle.readiness_period_seconds, lifecycle.readiness_failure_threshold
        ),
        "liveness_probe": _probe(
            "/health", lifecycle, lifecycle.liveness_period_seconds, lifecycle.liveness_failure_threshold
        ),
        # The last lines of the log are then in the pod's status, and so in the error of `pulumi up`.
        "termination_message_policy": "FallbackToLogsOnError",
        # Wait before SIGTERM: requests still arrive until endpoints and proxies have removed the pod.
        "lifecycle": {"pre_stop": {"sleep": {"seconds": lifecycle.pre_stop_seconds}}},
        "security_context": security_context.CONTAINER,
        "volume_mounts": pod_volumes.server_mounts(args.volumes),
    }


def _before_each_start(args: PodArgs) -> dict[str, str]:
    """Returns the variables that the agent's entry points read in vLLM's first process and remove."""
    variables = {"TPUSERVE_CACHE_FOLDER": container_layout.COMPILE_CACHE}  # agent/server/cache_start.py
    if not args.accelerator.is_stand_in:
        variables["TPUSERVE_CHIPS"] = str(args.accelerator.chips)  # agent/server/chips.py
    return variables


def _restore(args: PodArgs) -> ContainerArgsDict:
    """Returns the container that fills the compile cache. It always succeeds: without a cache, the server
    compiles."""
    command = ["python3", "-m", "agent.compile_cache", "restore", container_layout.SIDECAR_FILE]
    # 16 parts of 64 MiB are downloaded at once.
    return _agent(args, container_layout.RESTORE, command, memory="2Gi")


def _sidecar(args: PodArgs) -> ContainerArgsDict:
    """Returns the container that accepts the server, publishes its compile cache and shows metrics.

    It is an ordinary container, not an init container that restarts (a native sidecar), because the provider
    reports the messages of ordinary containers only (cloud-ready-checks, pkg/kubernetes/pod/check.go): this
    is how `pulumi up` ends with the sentence of the acceptance. Its end never delays the server's.
    """
    command = [
        *("python3", "-m", "agent.sidecar", "--settings", container_layout.SIDECAR_FILE),
        *("--server", f"http://127.0.0.1:{container_layout.PORT}"),
        *("--address", EVERY_ADDRESS, "--port", str(container_layout.SIDECAR_PORT)),
        *("--last-words", TERMINATION_LOG),
    ]
    return {
        **_agent(args, container_layout.SIDECAR, command, memory="1Gi"),
        "ports": [{"name": "sidecar", "container_port": container_layout.SIDECAR_PORT}],
        # The provider reports the last words of a container that is not ready.
        "readiness_probe": _probe(
            "/ready",
            args.lifecycle,
            args.lifecycle.readiness_period_seconds,
            args.lifecycle.readiness_failure_threshold,
            port="sidecar",
        ),
        "volume_mounts": [*AGENT_MOUNTS, *pod_volumes.api_key(args.volumes)],
    }


def _agent(args: PodArgs, name: str, command: Sequence[str], *, memory: str) -> ContainerArgsDict:
    """Returns a container that runs the agent in the server's image. `memory` is its limit."""
    return {
        "name": name,
        "image": args.image,
        "image_pull_policy": "IfNotPresent",
        "command": list(command),
        "env": _variables({"HOME": "/tmp", "PYTHONPATH": container_layout.AGENT, **args.storage_environment}),
        "resources": {
            # The server accounts for the volumes.
            "requests": {"cpu": "100m", "memory": "256Mi", **ephemeral_storage()},
            "limits": {"memory": memory, **ephemeral_storage()},
        },
        "security_context": security_context.CONTAINER,
        "volume_mounts": list(AGENT_MOUNTS),
    }


def _variables(environment: Mapping[str, str]) -> list[EnvVarArgsDict]:
    return [{"name": name, "value": verbatim(value)} for name, value in environment.items()]


def _probe(
    path: str, lifecycle: Lifecycle, period_seconds: int, failures: int, port: str = "http"
) -> ProbeArgsDict:
    return {
        "http_get": {"path": path, "port": port},
        "period_seconds": period_seconds,
        "failure_threshold": failures,
        "timeout_seconds": lifecycle.probe_timeout_seconds,
    }
