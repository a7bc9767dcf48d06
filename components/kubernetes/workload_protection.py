"""Protection of a server's pods: a NetworkPolicy and a PodDisruptionBudget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.networking.v1 import (
    NetworkPolicyEgressRuleArgsDict,
    NetworkPolicyPeerArgsDict,
    NetworkPolicyPortArgsDict,
)

from serving.deploy import container_layout


@dataclass(frozen=True, kw_only=True)
class ProtectionArgs:
    """Arguments of the two objects."""

    namespace: pulumi.Input[str]
    labels: Mapping[str, str]
    """Labels that select the pods."""
    replicas: int
    clients: Sequence[NetworkPolicyPeerArgsDict]
    """Peers that may call the server and its sidecar."""
    egress: Sequence[NetworkPolicyEgressRuleArgsDict]
    """Rules of the traffic that the pods may send; an empty list denies all."""


class Protection(pulumi.ComponentResource):
    """A NetworkPolicy and a PodDisruptionBudget for all releases of one server."""

    def __init__(self, name: str, args: ProtectionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:kubernetes:Protection", name, None, opts)
        labels = dict(args.labels)
        ports: list[NetworkPolicyPortArgsDict] = [
            {"port": container_layout.PORT},
            {"port": container_layout.SIDECAR_PORT},
        ]
        k8s.networking.v1.NetworkPolicy(
            f"{name}-traffic",
            metadata={"name": name, "namespace": args.namespace, "labels": labels},
            spec={
                "pod_selector": {"match_labels": labels},
                "policy_types": ["Ingress", "Egress"],
                "ingress": [{"from_": list(args.clients), "ports": ports}],
                "egress": list(args.egress),
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        k8s.policy.v1.PodDisruptionBudget(
            f"{name}-budget",
            metadata={"name": name, "namespace": args.namespace, "labels": labels},
            # With one replica this blocks every voluntary drain until an operator deletes the pod, because a
            # boot takes minutes.
            spec={
                "min_available": max(1, args.replicas - 1),
                # A server that does not serve, such as one that was not accepted, may always be evicted.
                "unhealthy_pod_eviction_policy": "AlwaysAllow",
                "selector": {"match_labels": labels},
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
