"""Local stack: the workload of GKE in the local cluster, with folders of the node as volumes."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.core.v1 import VolumeArgsDict

from components.kubernetes.node_volume import NodeVolume, NodeVolumeArgs
from components.kubernetes.vllm import ServerVolumes
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
    namespace = workload.namespace(container_layout.NAMESPACE, provider)
    data = interface.node_data()
    folders = {
        # 1 GiB is enough for a model of a few MB and for a cache of a few hundred programs.
        "models": NodeVolumeArgs(
            namespace=namespace.metadata.name, path=str(data / "models"), size="1Gi", read_only=True
        ),
        "compile-cache": NodeVolumeArgs(
            namespace=namespace.metadata.name, path=str(data / "compile-cache"), size="1Gi", read_only=False
        ),
    }
    claims = {
        name: NodeVolume(name, args, pulumi.ResourceOptions(providers=[provider])).claim_name
        for name, args in folders.items()
    }
    server = workload.workload(
        settings,
        resolved,
        workload.PodInputs(
            image=resolved.release.image,
            node_selector=workload.slice_selector(resolved.candidate.accelerator),
            volumes=ServerVolumes(
                models={
                    "name": "models",
                    "persistent_volume_claim": {"claim_name": claims["models"], "read_only": True},
                },
                compile_cache={
                    "name": "compile-cache",
                    "persistent_volume_claim": {"claim_name": claims["compile-cache"]},
                },
                api_key=API_KEY if settings.authentication == "api-key" else None,
                shared_memory="1Gi",
            ),
            # The engine with four virtual devices and the API server use about 5 GB together.
            cpu="1",
            memory="10Gi",
            # Every pod may call, and so may the node itself, from which `make ask` calls. The key is checked
            # by the server.
            clients=[{"namespace_selector": {}}, {"ip_block": {"cidr": f"{interface.NODE_ADDRESS}/32"}}],
            egress=[],
            account_annotations={},
            pod_annotations={},
            after=[],
        ),
        namespace,
        provider,
    )
    outputs.export(resolved, server.endpoint, outputs.LOCAL, None)
