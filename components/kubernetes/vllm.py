"""The vLLM workload on any Kubernetes cluster that has a TPU slice: GKE and the local one alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.core.v1 import PodSpecArgsDict, ProbeArgsDict, VolumeArgsDict, VolumeMountArgsDict
from pulumi_kubernetes.networking.v1 import NetworkPolicyEgressRuleArgsDict, NetworkPolicyPeerArgsDict

from components.kubernetes import security_context
from components.kubernetes.workload_protection import Protection, ProtectionArgs
from serving.deploy import container_layout
from serving.deploy.release import EVERY_ADDRESS, Release
from serving.hardware.accelerators import Accelerator
from serving.startup.timeouts import Lifecycle


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
        "security_context": {**security_context.POD, "fs_group": container_layout.USER},
        "containers": [
            {
                "name": container_layout.SERVER,
                "image": args.image,
                "image_pull_policy": "IfNotPresent",
                "command": list(args.release.argv(EVERY_ADDRESS)),
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
                "security_context": security_context.CONTAINER,
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


@dataclass(frozen=True, kw_only=True)
class VllmArgs:
    """`pod` is one release with its volumes and sizes; the rest is what stands around it.

    `agent_files` maps a path below /opt/tpuserve to its text. `clients` are the peers that may call the
    endpoint, `egress` what the server may call (nothing, unless told). The server waits for `after`.
    """

    namespace: pulumi.Input[str]
    pod: PodArgs
    replicas: int
    agent_files: Mapping[str, str]
    clients: Sequence[NetworkPolicyPeerArgsDict]
    egress: Sequence[NetworkPolicyEgressRuleArgsDict]
    account_annotations: Mapping[str, pulumi.Input[str]]
    pod_annotations: Mapping[str, str]
    after: Sequence[pulumi.Resource]


class Vllm(pulumi.ComponentResource):
    """Deployment of one release, and the Service, NetworkPolicy and disruption budget in front of it.

    The Deployment's name carries the release, so a change makes a new one; on one slice the old one must
    go first (`delete_before_replace`), which means downtime for the time of a boot.
    """

    endpoint: pulumi.Output[str]
    """Base URL of the OpenAI-compatible API, for clients inside the cluster."""

    def __init__(self, name: str, args: VllmArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:kubernetes:Vllm", name, None, opts)
        labels = {
            "app.kubernetes.io/name": container_layout.SERVER,
            "app.kubernetes.io/managed-by": "tpuserve",
        }
        release = args.pod.release
        release_labels = {**labels, "tpuserve/release": release.name}
        # The digest is in the name: running pods keep the files they started with.
        agent_name = f"{container_layout.SERVER}-agent-{release.agent_digest[:8]}"
        deployment_name = f"{container_layout.SERVER}-{release.name}"
        life = args.pod.lifecycle
        wait = f"{life.pulumi_timeout_seconds}s"
        space, notes = args.namespace, dict(args.account_annotations)
        child = pulumi.ResourceOptions(parent=self)
        account = k8s.core.v1.ServiceAccount(
            f"{name}-account",
            metadata={
                "name": container_layout.SERVER,
                "namespace": space,
                "labels": labels,
                "annotations": notes,
            },
            automount_service_account_token=False,
            opts=child,
        )
        agent = k8s.core.v1.ConfigMap(
            f"{name}-agent",
            metadata={"name": agent_name, "namespace": space, "labels": labels},
            immutable=True,
            data={config_map_key(path): text for path, text in args.agent_files.items()},
            opts=child,
        )
        Protection(
            name,
            ProtectionArgs(
                namespace=space,
                labels=labels,
                replicas=args.replicas,
                clients=args.clients,
                egress=args.egress,
            ),
            child,
        )
        deployment = k8s.apps.v1.Deployment(
            f"{name}-server",
            metadata={"name": deployment_name, "namespace": space, "labels": release_labels},
            spec={
                "replicas": args.replicas,
                "strategy": {"type": "Recreate"},
                "progress_deadline_seconds": life.progress_deadline_seconds,
                "selector": {"match_labels": release_labels},
                "template": {
                    "metadata": {"labels": release_labels, "annotations": dict(args.pod_annotations)},
                    "spec": pod_spec(
                        args.pod,
                        service_account=container_layout.SERVER,
                        agent_config_map=agent_name,
                        agent_paths=tuple(args.agent_files),
                    ),
                },
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[account, agent, *args.after],
                delete_before_replace=True,
                custom_timeouts=pulumi.CustomTimeouts(create=wait, update=wait, delete=wait),
            ),
        )
        service = k8s.core.v1.Service(
            f"{name}-service",
            metadata={"name": container_layout.SERVER, "namespace": space, "labels": labels},
            spec={
                "selector": release_labels,
                "ports": [{"name": "http", "port": container_layout.PORT, "target_port": "http"}],
            },
            # Only a release that answers gets the traffic.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[deployment]),
        )
        self.endpoint = pulumi.Output.concat(
            "http://", service.metadata.name, ".", space, f".svc:{container_layout.PORT}/v1"
        )
        self.register_outputs({"endpoint": self.endpoint})
