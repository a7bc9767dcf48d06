"""Workload of a serving stack in Kubernetes: namespace and server, the same for GKE and the local node."""

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
class PodInputs:
    """Inputs of the server's pod that differ between kinds of clusters."""

    image: pulumi.Input[str]
    """Reference of the release's image in the registry that the cluster pulls from."""
    node_selector: Mapping[str, pulumi.Input[str]]
    volumes: ServerVolumes
    cpu: str
    """Requested CPU, a Kubernetes quantity."""
    memory: str
    """Requested and allowed memory, a Kubernetes quantity."""
    clients: Sequence[NetworkPolicyPeerArgsDict]
    """Peers that may call the server."""
    egress: Sequence[NetworkPolicyEgressRuleArgsDict]
    """Rules of the traffic that the server may send."""
    account_annotations: Mapping[str, pulumi.Input[str]]
    pod_annotations: Mapping[str, str]
    after: Sequence[pulumi.Resource]
    """Resources that have to exist before the Deployment is created."""


def slice_selector(accelerator: Accelerator) -> dict[str, str]:
    """Returns the labels of nodes that hold one whole slice of this shape. GKE requires both labels."""
    return {
        "cloud.google.com/gke-tpu-accelerator": accelerator.gke_accelerator,
        "cloud.google.com/gke-tpu-topology": accelerator.gke_topology,
    }


def namespace(name: str, provider: k8s.Provider) -> k8s.core.v1.Namespace:
    """Returns the server's namespace, which admits only pods of the `restricted` pod security standard."""
    return k8s.core.v1.Namespace(
        name,
        metadata={"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        opts=pulumi.ResourceOptions(provider=provider),
    )


def workload(
    settings: Settings,
    plan: Plan,
    inputs: PodInputs,
    namespace: k8s.core.v1.Namespace,
    provider: k8s.Provider,
) -> Vllm:
    """Declares the server of `plan` in `namespace`, with the inputs of its cluster."""
    return Vllm(
        "vllm",
        VllmArgs(
            namespace=namespace.metadata.name,
            replicas=settings.replicas,
            agent_files=bundle.files(),
            clients=inputs.clients,
            egress=inputs.egress,
            account_annotations=inputs.account_annotations,
            pod_annotations=inputs.pod_annotations,
            after=inputs.after,
            pod=PodArgs(
                release=plan.release,
                image=inputs.image,
                node_selector=inputs.node_selector,
                accelerator=plan.candidate.accelerator,
                lifecycle=plan.lifecycle,
                volumes=inputs.volumes,
                cpu=inputs.cpu,
                memory=inputs.memory,
            ),
        ),
        pulumi.ResourceOptions(providers=[provider]),
    )
