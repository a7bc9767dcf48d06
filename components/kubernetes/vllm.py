"""vLLM workload on a Kubernetes cluster that has TPU slices, GKE or local."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.apps.v1 import DeploymentStrategyArgsDict
from pulumi_kubernetes.networking.v1 import NetworkPolicyEgressRuleArgsDict, NetworkPolicyPeerArgsDict

from components.kubernetes.pod_volumes import config_map_key
from components.kubernetes.server_pod import PodArgs, pod_spec
from components.kubernetes.workload_protection import Protection, ProtectionArgs
from serving.deploy import container_layout


@dataclass(frozen=True, kw_only=True)
class VllmArgs:
    """Arguments of the workload."""

    namespace: pulumi.Input[str]
    pod: PodArgs
    replicas: int
    surge: int
    """Spare slices. With 0 a server ends before its successor starts; with 1 it ends after."""
    accepted: bool
    """True for a promoted release, for the policies."""
    agent_files: Mapping[str, str]
    """Text of each agent file, by its path below /opt/tpuserve."""
    sidecar_settings: pulumi.Input[str]
    """Text of container_layout.SIDECAR_FILE."""
    sidecar_digest: str
    """Digits that change exactly when the sidecar has to start with other settings."""
    clients: Sequence[NetworkPolicyPeerArgsDict]
    """Peers that may call the server."""
    egress: Sequence[NetworkPolicyEgressRuleArgsDict]
    """Rules of the traffic that the server may send; an empty list denies all."""
    account_annotations: Mapping[str, pulumi.Input[str]]
    """Annotations of the Kubernetes service account."""
    pod_annotations: Mapping[str, str]
    after: Sequence[pulumi.Resource]
    """Resources that have to exist before the Deployment is created."""
    hooks: pulumi.ResourceHookBinding
    """Hooks of the Deployment, for servers that did not get ready in time. The provider waits until its
    timeout, also when the Deployment has exceeded its deadline before."""


class Vllm(pulumi.ComponentResource):
    """A Deployment with its Service, NetworkPolicy and disruption budget.

    A new release replaces one server after another. A server that is not accepted stops the rollout: the
    others keep serving, and `pulumi up` ends with the sentence of the acceptance.
    """

    endpoint: pulumi.Output[str]
    """Base URL of the OpenAI-compatible API, for clients inside the cluster."""

    def __init__(self, name: str, args: VllmArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:kubernetes:Vllm", name, None, opts)
        labels = {
            "app.kubernetes.io/name": container_layout.SERVER,
            "app.kubernetes.io/managed-by": "tpuserve",
        }
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
        agent, settings = self._files(name, args, labels)
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
        lifecycle = args.pod.lifecycle
        deployment = k8s.apps.v1.Deployment(
            f"{name}-server",
            metadata={
                "name": container_layout.SERVER,
                "namespace": args.namespace,
                "labels": labels,
                "annotations": {"tpuserve/accepted": str(args.accepted).lower()},
            },
            spec={
                "replicas": args.replicas,
                "strategy": _strategy(args.surge),
                "progress_deadline_seconds": lifecycle.progress_deadline_seconds,
                # For a release that is deployed again, Kubernetes would take its old ReplicaSet, and the
                # provider (4.25, pkg/await/deployment.go) takes that for ready while it still has no pod. A
                # rollback comes from the release's record, so nobody needs old ReplicaSets.
                "revision_history_limit": 0,
                # Without the release, which a Deployment could not change in its selector.
                "selector": {"match_labels": labels},
                "template": {
                    "metadata": {
                        "labels": {**labels, "tpuserve/release": args.pod.release.name},
                        "annotations": dict(args.pod_annotations),
                    },
                    "spec": pod_spec(
                        args.pod,
                        service_account=container_layout.SERVER,
                        agent_config_map=agent.metadata.name,
                        agent_paths=tuple(args.agent_files),
                        sidecar_config_map=settings.metadata.name,
                    ),
                },
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[account, *args.after],
                hooks=args.hooks,
                custom_timeouts=pulumi.CustomTimeouts(
                    # All servers of a new Deployment start at once.
                    create=f"{lifecycle.rollout_seconds(1)}s",
                    update=f"{lifecycle.rollout_seconds(args.replicas)}s",
                    delete=f"{lifecycle.rollout_seconds(1)}s",
                ),
            ),
        )
        service = k8s.core.v1.Service(
            f"{name}-service",
            metadata={"name": container_layout.SERVER, "namespace": args.namespace, "labels": labels},
            spec={
                "selector": labels,
                "ports": [{"name": "http", "port": container_layout.PORT, "target_port": "http"}],
            },
            # The Service waits for the Deployment, so that a first release that cannot serve has no endpoint.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[deployment]),
        )
        self.endpoint = pulumi.Output.concat(
            "http://", service.metadata.name, ".", args.namespace, f".svc:{container_layout.PORT}/v1"
        )
        self.register_outputs({"endpoint": self.endpoint})

    def _files(
        self, name: str, args: VllmArgs, labels: Mapping[str, str]
    ) -> tuple[k8s.core.v1.ConfigMap, k8s.core.v1.ConfigMap]:
        """Returns the ConfigMaps of the agent and of the sidecar's settings.

        Their names contain digests, so that running pods keep the files with which they started. The names of
        the resources contain them too: each is created and deleted by itself. A replaced resource would be
        deleted by the next `up` after one that failed, also when that one goes back to its files.
        """

        def config_map(
            part: str, digest: str, data: Mapping[str, pulumi.Input[str]], ignored: Sequence[str] = ()
        ) -> k8s.core.v1.ConfigMap:
            return k8s.core.v1.ConfigMap(
                f"{name}-{part}-{digest}",
                metadata={
                    "name": f"{container_layout.SERVER}-{part}-{digest}",
                    "namespace": args.namespace,
                    "labels": dict(labels),
                },
                immutable=True,
                data=dict(data),
                opts=pulumi.ResourceOptions(parent=self, ignore_changes=list(ignored)),
            )

        files = {config_map_key(path): text for path, text in args.agent_files.items()}
        agent = config_map("agent", args.pod.release.agent_digest[:8], files)
        # The text names the commit that brought the release. A later commit that changes nothing else must
        # not restart the servers.
        content = {Path(container_layout.SIDECAR_FILE).name: args.sidecar_settings}
        settings = config_map("sidecar", args.sidecar_digest, content, ["data"])
        return agent, settings


def _strategy(surge: int) -> DeploymentStrategyArgsDict:
    """Returns a rolling update of one server at a time."""
    return {
        "type": "RollingUpdate",
        "rolling_update": {"max_surge": surge, "max_unavailable": 1 - surge},
    }
