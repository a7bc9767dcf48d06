"""Local stack: the workload of GKE in the local cluster, with folders of the node as volumes."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.core.v1 import VolumeArgsDict
from pulumi_kubernetes.networking.v1 import NetworkPolicyEgressRuleArgsDict

from components.kubernetes.node_volume import NodeVolume, NodeVolumeArgs
from components.kubernetes.pod_volumes import ServerVolumes
from components.kubernetes.security_context import POD_USERS
from config.checks import problems, refuse
from config.settings import Settings
from config.targets import LocalTarget
from local import interface
from serving.deploy import container_layout
from stacks import outputs, workload
from stacks.plan import plan

# `make key` creates this Secret, not Pulumi, so its value never enters the state. The volume is optional:
# until the key exists the server refuses requests, and a new key needs no restart.
API_KEY: VolumeArgsDict = {
    "name": container_layout.API_KEY,
    "secret": {"secret_name": container_layout.API_KEY, "optional": True, "default_mode": 0o440},
}

BUCKET: NetworkPolicyEgressRuleArgsDict = {
    "to": [{"ip_block": {"cidr": f"{interface.NODE_ADDRESS}/32"}}],
    "ports": [{"port": interface.STORAGE_PORT, "protocol": "TCP"}],
}
"""Rule of the traffic to the local cluster's bucket."""


def build(settings: Settings, target: LocalTarget) -> None:
    """Declares the local stack and its outputs. Raises ValueError for settings that could not work."""
    refuse(problems(settings, placeholders=pulumi.runtime.is_dry_run()))
    resolved = plan(settings, settings.image or interface.image_reference())
    provider = k8s.Provider(
        "local",
        # The path instead of the content, so that the client's key does not enter the state.
        kubeconfig=target.kubeconfig or str(interface.kubeconfig()),
        context=target.context,
        cluster_identifier=target.context,
    )
    user = POD_USERS[target.run_as]
    namespace = workload.namespace(container_layout.NAMESPACE, user, provider)
    models = NodeVolume(
        "models",
        NodeVolumeArgs(
            namespace=namespace.metadata.name,
            path=str(interface.node_data() / "models"),
            # Enough for a model of a few MB.
            size="1Gi",
            read_only=True,
        ),
        pulumi.ResourceOptions(providers=[provider]),
    )
    # Only the cluster of `make up` has a bucket.
    has_bucket = target.kubeconfig is None
    server = workload.workload(
        settings,
        resolved,
        workload.PodInputs(
            user=user,
            image=resolved.release.image,
            node_selector=workload.slice_selector(resolved.candidate.accelerator),
            volumes=ServerVolumes(
                models={
                    "name": "models",
                    "persistent_volume_claim": {"claim_name": models.claim_name, "read_only": True},
                },
                # Enough for a few hundred programs.
                compile_cache_size="1Gi",
                api_key=API_KEY if settings.authentication == "api-key" else None,
                shared_memory="1Gi",
            ),
            # The engine with four virtual devices and the API server use about 5 GB together. A rollout may
            # have three of them on a machine of two processors.
            cpu="500m",
            memory="5632Mi",
            # Every pod may call, and so may the node itself, from which `make ask` calls. The key is checked
            # by the server.
            clients=[{"namespace_selector": {}}, {"ip_block": {"cidr": f"{interface.NODE_ADDRESS}/32"}}],
            egress=[BUCKET] if has_bucket else [],
            bucket=interface.bucket() if has_bucket else None,
            api_key_secret=None,
            storage_environment={"STORAGE_EMULATOR_HOST": interface.storage_url()} if has_bucket else {},
            account_annotations={},
            pod_annotations={},
            after=[],
        ),
        namespace,
        provider,
    )
    outputs.export(settings, resolved, server.endpoint)
