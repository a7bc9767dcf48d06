"""What stands around a server's pods: who may talk to them, and how many may be taken away at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.networking.v1 import NetworkPolicyEgressRuleArgsDict, NetworkPolicyPeerArgsDict

from serving.deploy import container_layout


@dataclass(frozen=True, kw_only=True)
class ProtectionArgs:
    """`labels` select the pods; `clients` may call their port, and they may call `egress` alone."""

    namespace: pulumi.Input[str]
    labels: Mapping[str, str]
    replicas: int
    clients: Sequence[NetworkPolicyPeerArgsDict]
    egress: Sequence[NetworkPolicyEgressRuleArgsDict]


class Protection(pulumi.ComponentResource):
    """NetworkPolicy and PodDisruptionBudget of all releases of one server."""

    def __init__(self, name: str, args: ProtectionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:kubernetes:Protection", name, None, opts)
        labels = dict(args.labels)
        k8s.networking.v1.NetworkPolicy(
            f"{name}-traffic",
            metadata={"name": name, "namespace": args.namespace, "labels": labels},
            spec={
                "pod_selector": {"match_labels": labels},
                "policy_types": ["Ingress", "Egress"],
                "ingress": [{"from_": list(args.clients), "ports": [{"port": container_layout.PORT}]}],
                "egress": list(args.egress),
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        k8s.policy.v1.PodDisruptionBudget(
            f"{name}-budget",
            metadata={"name": name, "namespace": args.namespace, "labels": labels},
            # With one replica this blocks a voluntary drain until someone decides: a boot takes minutes.
            spec={"min_available": max(1, args.replicas - 1), "selector": {"match_labels": labels}},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
