"""The local stack: the GKE workload on a cluster that exists, with the node's folders as volumes."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as k8s

from components.node_volume import NodeVolume, NodeVolumeArgs
from local import image, paths
from stacks import kubernetes
from stacks.plan import plan
from stacks.settings import Settings


def build(settings: Settings) -> None:
    """Declare the local stack and its outputs."""
    resolved = plan(settings, settings.image or image.reference())
    provider = k8s.Provider(
        "local",
        # A path, not its content: the client key stays out of the state.
        kubeconfig=settings.target.kubeconfig or str(paths.kubeconfig()),
        context=settings.target.context,
        cluster_identifier=settings.target.context,
    )
    space = kubernetes.namespace(provider)
    data = paths.node_data()
    folders = {
        # Sizes are what the folders hold at most: a model of a few MB, a cache of a few hundred programs.
        "models": NodeVolumeArgs(
            namespace=space.metadata.name, path=str(data / "models"), size="1Gi", read_only=True
        ),
        "compile-cache": NodeVolumeArgs(
            namespace=space.metadata.name, path=str(data / "compile-cache"), size="1Gi", read_only=False
        ),
    }
    claims = {
        name: NodeVolume(name, args, pulumi.ResourceOptions(providers=[provider])).claim_name
        for name, args in folders.items()
    }
    server = kubernetes.workload(
        settings,
        resolved,
        kubernetes.Site(
            models={"persistent_volume_claim": {"claim_name": claims["models"], "read_only": True}},
            compile_cache={"persistent_volume_claim": {"claim_name": claims["compile-cache"]}},
            # The engine with four virtual devices and the API server hold about 5 GB together.
            cpu="1",
            memory="10Gi",
            shared_memory="1Gi",
            clients=[{"namespace_selector": {}}, {"ip_block": {"cidr": NODE_NETWORK}}],
            egress=[],
        ),
        space,
        provider,
    )
    endpoint = pulumi.Output.format("http://{}.{}.svc:8000/v1", server.service_name, space.metadata.name)
    outputs.export(resolved, endpoint)
