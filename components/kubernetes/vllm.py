"""vLLM workload on a Kubernetes cluster that has a TPU slice, GKE or local."""

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
    """Volumes that differ between kinds of clusters, each with its name and source."""

    models: VolumeArgsDict
    compile_cache: VolumeArgsDict
    api_key: VolumeArgsDict | None
    """Volume with the file `api-key`; None when clients need no key."""
    shared_memory: str
    """Size of /dev/shm, a Kubernetes quantity. It counts against the pod's memory limit."""
    unmounted: Sequence[VolumeArgsDict] = ()
    """Volumes that the server does not mount, for example those of a volume driver's sidecar."""


def config_map_key(path: str) -> str:
    """Returns the ConfigMap key of a file. Keys allow no slash: `agent/server/guard.py` becomes
    `agent__server__guard.py`."""
    return path.replace("/", "__")


def verbatim(text: str) -> str:
    """Returns a word of a command or the value of a variable so that the container gets `text` unchanged.

    Kubernetes replaces $(NAME) by a variable and $$ by $ in both (its API's Container.command, EnvVar.value).
    """
    return text.replace("$", "$$")


def server_volumes(
    cluster_volumes: ServerVolumes, agent_config_map: str, agent_paths: Sequence[str]
) -> tuple[list[VolumeArgsDict], list[VolumeMountArgsDict]]:
    """Returns the pod's volumes and mounts. Only the compile cache, /tmp and /dev/shm are writable."""
    volumes: list[VolumeArgsDict] = [
        cluster_volumes.models,
        cluster_volumes.compile_cache,
        *cluster_volumes.unmounted,
        {"name": "tmp", "empty_dir": {"size_limit": "1Gi"}},
        {"name": "shm", "empty_dir": {"medium": "Memory", "size_limit": cluster_volumes.shared_memory}},
        {
            "name": "agent",
            "config_map": {
                "name": agent_config_map,
                "items": [{"key": config_map_key(path), "path": path} for path in agent_paths],
            },
        },
    ]
    mounts: list[VolumeMountArgsDict] = [
        {"name": cluster_volumes.models["name"], "mount_path": container_layout.MODELS, "read_only": True},
        {"name": cluster_volumes.compile_cache["name"], "mount_path": container_layout.CACHE},
        {"name": "tmp", "mount_path": "/tmp"},
        {"name": "shm", "mount_path": "/dev/shm"},
        {"name": "agent", "mount_path": container_layout.AGENT, "read_only": True},
    ]
    if cluster_volumes.api_key is not None:
        volumes.append(cluster_volumes.api_key)
        key_mount: VolumeMountArgsDict = {
            "name": cluster_volumes.api_key["name"],
            "mount_path": container_layout.SECRETS,
            "read_only": True,
        }
        mounts.append(key_mount)
    return volumes, mounts


@dataclass(frozen=True, kw_only=True)
class PodArgs:
    """Arguments of one serving pod."""

    release: Release
    image: pulumi.Input[str]
    """Reference of the release's image in the registry that this cluster pulls from."""
    node_selector: Mapping[str, pulumi.Input[str]]
    """Labels of the nodes that hold a slice."""
    accelerator: Accelerator
    lifecycle: Lifecycle
    volumes: ServerVolumes
    cpu: str
    """Requested CPU, a Kubernetes quantity; there is no limit."""
    memory: str
    """Requested and allowed memory, a Kubernetes quantity ("8Gi")."""


def pod_spec(
    args: PodArgs, *, service_account: str, agent_config_map: str, agent_paths: Sequence[str]
) -> PodSpecArgsDict:
    """Returns the pod's specification. The pod requests all chips of a slice."""
    lifecycle = args.lifecycle
    chips = {"google.com/tpu": str(args.accelerator.chips)}
    volumes, mounts = server_volumes(args.volumes, agent_config_map, agent_paths)
    return {
        "service_account_name": service_account,
        "automount_service_account_token": False,
        # Otherwise the Service `vllm` sets VLLM_PORT=tcp://…, which vLLM reads as one of its settings.
        "enable_service_links": False,
        "node_selector": dict(args.node_selector),
        "tolerations": [
            {"key": "google.com/tpu", "operator": "Equal", "value": "present", "effect": "NoSchedule"}
        ],
        "termination_grace_period_seconds": lifecycle.termination_grace_seconds,
        "security_context": {**security_context.POD, "fs_group": container_layout.USER},
        "containers": [
            {
                "name": container_layout.SERVER,
                "image": args.image,
                "image_pull_policy": "IfNotPresent",
                "command": [verbatim(word) for word in args.release.argv(EVERY_ADDRESS)],
                "env": [{"name": name, "value": verbatim(value)} for name, value in args.release.environment],
                "ports": [{"name": "http", "container_port": container_layout.PORT}],
                "resources": {
                    "requests": {"cpu": args.cpu, "memory": args.memory, **chips},
                    "limits": {"memory": args.memory, **chips},
                },
                "startup_probe": _probe(
                    lifecycle, lifecycle.startup_period_seconds, lifecycle.startup_failure_threshold
                ),
                "readiness_probe": _probe(
                    lifecycle, lifecycle.readiness_period_seconds, lifecycle.readiness_failure_threshold
                ),
                "liveness_probe": _probe(
                    lifecycle, lifecycle.liveness_period_seconds, lifecycle.liveness_failure_threshold
                ),
                # Wait before SIGTERM: requests still arrive until endpoints and proxies have removed the pod.
                "lifecycle": {"pre_stop": {"sleep": {"seconds": lifecycle.pre_stop_seconds}}},
                "security_context": security_context.CONTAINER,
                "volume_mounts": mounts,
            }
        ],
        "volumes": volumes,
    }


def _probe(lifecycle: Lifecycle, period_seconds: int, failures: int) -> ProbeArgsDict:
    """Returns a probe of `/health`. An open port is not enough: vLLM opens it before the engine exists."""
    return {
        "http_get": {"path": "/health", "port": "http"},
        "period_seconds": period_seconds,
        "failure_threshold": failures,
        "timeout_seconds": lifecycle.probe_timeout_seconds,
    }


@dataclass(frozen=True, kw_only=True)
class VllmArgs:
    """Arguments of the workload."""

    namespace: pulumi.Input[str]
    pod: PodArgs
    replicas: int
    agent_files: Mapping[str, str]
    """Text of each agent file, by its path below /opt/tpuserve."""
    clients: Sequence[NetworkPolicyPeerArgsDict]
    """Peers that may call the server."""
    egress: Sequence[NetworkPolicyEgressRuleArgsDict]
    """Rules of the traffic that the server may send; an empty list denies all."""
    account_annotations: Mapping[str, pulumi.Input[str]]
    """Annotations of the Kubernetes service account."""
    pod_annotations: Mapping[str, str]
    after: Sequence[pulumi.Resource]
    """Resources that have to exist before the Deployment is created."""


class Vllm(pulumi.ComponentResource):
    """A Deployment of one release, with its Service, NetworkPolicy and disruption budget.

    The Deployment's name contains the release, so a new release creates a new Deployment. The old one is
    deleted first (`delete_before_replace`), because its pods hold the slices. The server is down for the
    time of a boot.
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
        # The name contains the digest, so that running pods keep the files with which they started.
        agent_name = f"{container_layout.SERVER}-agent-{release.agent_digest[:8]}"
        deployment_name = f"{container_layout.SERVER}-{release.name}"
        lifecycle = args.pod.lifecycle
        timeout = f"{lifecycle.pulumi_timeout_seconds}s"
        child = pulumi.ResourceOptions(parent=self)
        account = k8s.core.v1.ServiceAccount(
            f"{name}-account",
            metadata={
                "name": container_layout.SERVER,
                "namespace": args.namespace,
                "labels": labels,
                "annotations": dict(args.account_annotations),
            },
            automount_service_account_token=False,
            opts=child,
        )
        agent = k8s.core.v1.ConfigMap(
            f"{name}-agent",
            metadata={"name": agent_name, "namespace": args.namespace, "labels": labels},
            immutable=True,
            data={config_map_key(path): text for path, text in args.agent_files.items()},
            opts=child,
        )
        Protection(
            name,
            ProtectionArgs(
                namespace=args.namespace,
                labels=labels,
                replicas=args.replicas,
                clients=args.clients,
                egress=args.egress,
            ),
            child,
        )
        deployment = k8s.apps.v1.Deployment(
            f"{name}-server",
            metadata={"name": deployment_name, "namespace": args.namespace, "labels": release_labels},
            spec={
                "replicas": args.replicas,
                "strategy": {"type": "Recreate"},
                "progress_deadline_seconds": lifecycle.progress_deadline_seconds,
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
                custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout, delete=timeout),
            ),
        )
        service = k8s.core.v1.Service(
            f"{name}-service",
            metadata={"name": container_layout.SERVER, "namespace": args.namespace, "labels": labels},
            spec={
                "selector": release_labels,
                "ports": [{"name": "http", "port": container_layout.PORT, "target_port": "http"}],
            },
            # The Service waits for the Deployment, so that only a release that answers gets traffic.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[deployment]),
        )
        self.endpoint = pulumi.Output.concat(
            "http://", service.metadata.name, ".", args.namespace, f".svc:{container_layout.PORT}/v1"
        )
        self.register_outputs({"endpoint": self.endpoint})
