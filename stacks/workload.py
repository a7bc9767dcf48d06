"""The workload on any cluster: namespace and server, wired the same for GKE and for the local node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.networking.v1 import NetworkPolicyEgressRuleArgsDict, NetworkPolicyPeerArgsDict

from agent import bundle
from components.kubernetes.vllm import PodArgs, ServerVolumes, Vllm, VllmArgs
from config.settings import Settings
from serving.hardware.accelerators import Accelerator
from stacks.plan import Plan


@dataclass(frozen=True, kw_only=True)
class Site:
    """What one kind of cluster adds to the workload. Sizes are Kubernetes quantities.

    `image` is where the cluster pulls from. The server's Deployment waits for `after`.
    """

    image: pulumi.Input[str]
    node_selector: Mapping[str, pulumi.Input[str]]
    volumes: ServerVolumes
    cpu: str
    memory: str
    clients: Sequence[NetworkPolicyPeerArgsDict]
    egress: Sequence[NetworkPolicyEgressRuleArgsDict]
    account_annotations: Mapping[str, pulumi.Input[str]]
    pod_annotations: Mapping[str, str]
    after: Sequence[pulumi.Resource]


def slice_selector(accelerator: Accelerator) -> dict[str, str]:
    """The labels of nodes that hold one whole slice of this kind; GKE wants both."""
    return {
        "cloud.google.com/gke-tpu-accelerator": accelerator.gke_accelerator,
        "cloud.google.com/gke-tpu-topology": accelerator.gke_topology,
    }


def namespace(name: str, provider: k8s.Provider) -> k8s.core.v1.Namespace:
    """The namespace of the server, closed to pods that ask for more than they need."""
    return k8s.core.v1.Namespace(
        name,
        metadata={"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
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
            account_annotations=site.account_annotations,
            pod_annotations=site.pod_annotations,
            after=site.after,
            pod=PodArgs(
                release=plan.release,
                image=site.image,
                node_selector=site.node_selector,
                accelerator=plan.candidate.accelerator,
                lifecycle=plan.lifecycle,
                volumes=site.volumes,
                cpu=site.cpu,
                memory=site.memory,
            ),
        ),
        pulumi.ResourceOptions(providers=[provider]),
    )
