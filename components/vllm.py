"""The vLLM workload on any Kubernetes cluster that has a TPU slice: GKE and the local one alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.networking.v1 import NetworkPolicyEgressRuleArgsDict, NetworkPolicyPeerArgsDict

from components.protection import Protection, ProtectionArgs
from components.vllm_pod import PodArgs, pod_spec
from components.vllm_volumes import config_map_key
from serving.deploy import container_layout


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
