"""The workload on any cluster: namespace and server, wired the same for GKE and for the local node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.networking.v1 import NetworkPolicyEgressRuleArgsDict, NetworkPolicyPeerArgsDict

from agent import bundle
from components.vllm import Vllm, VllmArgs
from components.vllm_pod import PodArgs
from components.vllm_volumes import ServerVolumes
from stacks.plan import Plan
from stacks.settings import Settings

NAMESPACE = "tpuserve"


@dataclass(frozen=True, kw_only=True)
class Site:
    """What one kind of cluster adds to the workload. Sizes are Kubernetes quantities."""

    volumes: ServerVolumes
    cpu: str
    memory: str
    clients: Sequence[NetworkPolicyPeerArgsDict]
    egress: Sequence[NetworkPolicyEgressRuleArgsDict]


def namespace(provider: k8s.Provider) -> k8s.core.v1.Namespace:
    """The namespace of the server, closed to pods that ask for more than they need."""
    return k8s.core.v1.Namespace(
        NAMESPACE,
        metadata={"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        opts=pulumi.ResourceOptions(provider=provider),
    )


def workload(
    settings: Settings, plan: Plan, site: Site, space: k8s.core.v1.Namespace, provider: k8s.Provider
) -> Vllm:
    """Declare the server of `plan` in `space` as the cluster of `site` wants it."""
    return Vllm(
        "vllm",
        VllmArgs(
            namespace=space.metadata.name,
            replicas=settings.replicas,
            agent_files=bundle.files(),
            clients=site.clients,
            egress=site.egress,
            pod=PodArgs(
                release=plan.release,
                accelerator=plan.accelerator,
                lifecycle=plan.lifecycle,
                volumes=site.volumes,
                cpu=site.cpu,
                memory=site.memory,
            ),
        ),
        pulumi.ResourceOptions(providers=[provider]),
    )
