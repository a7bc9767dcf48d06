"""Workload of a serving stack in Kubernetes: namespace and server, the same for GKE and the local node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.networking.v1 import NetworkPolicyEgressRuleArgsDict, NetworkPolicyPeerArgsDict

from components.kubernetes.pod_volumes import ServerVolumes
from components.kubernetes.security_context import PodUser
from components.kubernetes.server_pod import PodArgs
from components.kubernetes.vllm import Vllm, VllmArgs
from config.settings import Settings
from serving.hardware.accelerators import Accelerator
from stacks import failed_rollout, sidecar_settings
from stacks.plan import Plan


@dataclass(frozen=True, kw_only=True)
class PodInputs:
    """Inputs of the server's pod that differ between kinds of clusters."""

    user: PodUser
    """User of the server's pod, for which the namespace has its level of Pod Security."""
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
    bucket: pulumi.Input[str] | None
    """Bucket of compile caches and release records; None for a cluster without one."""
    api_key_secret: pulumi.Input[str] | None
    """Secret of the API key in Secret Manager, as in projects/P/secrets/S; None where it is not there."""
    storage_environment: Mapping[str, str]
    """Variables with which the agent finds the bucket; empty for Cloud Storage itself."""
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


def namespace(name: str, user: PodUser, provider: k8s.Provider) -> k8s.core.v1.Namespace:
    """Returns the server's namespace, which admits only pods of the Pod Security level that `user` needs."""
    return k8s.core.v1.Namespace(
        name,
        metadata={"name": name, "labels": {"pod-security.kubernetes.io/enforce": user.pod_security}},
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
    commit = sidecar_settings.commit()
    return Vllm(
        "vllm",
        VllmArgs(
            namespace=namespace.metadata.name,
            replicas=settings.replicas,
            surge=settings.rollout.surge,
            sidecar_settings=pulumi.Output.all(inputs.bucket, inputs.api_key_secret).apply(
                lambda known: sidecar_settings.text(
                    sidecar_settings.sidecar_settings(settings, plan, known[0], commit, known[1])
                )
            ),
            sidecar_digest=sidecar_settings.digest(settings, plan),
            accepted=plan.accepted,
            agent_files=plan.agent_files,
            clients=inputs.clients,
            egress=inputs.egress,
            account_annotations=inputs.account_annotations,
            pod_annotations=inputs.pod_annotations,
            after=inputs.after,
            hooks=failed_rollout.hooks(pulumi.get_stack(), plan.lifecycle.rollout_seconds(settings.replicas)),
            pod=PodArgs(
                release=plan.release,
                image=inputs.image,
                environment=plan.environment,
                node_selector=inputs.node_selector,
                accelerator=plan.candidate.accelerator,
                lifecycle=plan.lifecycle,
                volumes=inputs.volumes,
                cpu=inputs.cpu,
                memory=inputs.memory,
                storage_environment=inputs.storage_environment,
                user=inputs.user,
            ),
        ),
        pulumi.ResourceOptions(providers=[provider]),
    )
