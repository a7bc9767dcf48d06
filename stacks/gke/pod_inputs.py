"""What GKE adds to the workload: volumes from the bucket, secrets as files, who may call and be called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
from pulumi_kubernetes.core.v1 import VolumeArgsDict
from pulumi_kubernetes.networking.v1 import NetworkPolicyPeerArgsDict

from components.gcp.network import HEALTH_CHECK_RANGES
from components.kubernetes import weights_volume
from components.kubernetes.egress_rules import GOOGLE_APIS, INTERNET, METADATA, NAMES
from components.kubernetes.vllm import ServerVolumes
from components.kubernetes.weights_job import Weights
from serving.hardware import host_resources
from serving.messages.units import GIB
from stacks.workload import Site

CPU = "24"
"""Asked for: API server, engine and the threads that compile; nothing limits the rest of the machine."""
SHARED_MEMORY = "16Gi"
COMPILE_CACHE = "50Gi"
"""Of the node's 200 GB disk. The volume dies with the pod: a boot on a new pod is a cold one."""


def memory(weight_bytes: int) -> str:
    """Host memory of the server, as Kubernetes writes it."""
    return f"{host_resources.server_bytes(weight_bytes) // GIB}Gi"


def site(
    *,
    weights: Weights,
    image: pulumi.Input[str],
    node_selector: Mapping[str, pulumi.Input[str]],
    api_key: VolumeArgsDict | None,
    proxies: pulumi.Input[str] | None,
    fetches_media: bool,
    account_annotations: Mapping[str, pulumi.Input[str]],
    after: Sequence[pulumi.Resource],
) -> Site:
    """The site; `proxies` is the range of the load balancer's proxies, None where there is none."""
    return Site(
        image=image,
        node_selector=node_selector,
        volumes=ServerVolumes(
            models=weights_volume.weights_volume(weights.bucket, weights.directory),
            compile_cache={"name": "compile-cache", "empty_dir": {"size_limit": COMPILE_CACHE}},
            api_key=api_key,
            shared_memory=SHARED_MEMORY,
            unmounted=[weights_volume.cache_volume(weights.bytes)],
        ),
        cpu=CPU,
        memory=memory(weights.bytes),
        clients=clients(proxies),
        egress=[NAMES, METADATA, GOOGLE_APIS, *([INTERNET] if fetches_media else [])],
        account_annotations=account_annotations,
        pod_annotations=weights_volume.annotations(weights.bytes),
        after=after,
    )


def clients(proxies: pulumi.Input[str] | None) -> list[NetworkPolicyPeerArgsDict]:
    """Pods beside the server, Google's metric collectors, and the load balancer when there is one."""
    peers: list[NetworkPolicyPeerArgsDict] = [
        {"pod_selector": {}},
        {"namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": "gmp-system"}}},
    ]
    if proxies is not None:
        for cidr in (proxies, *HEALTH_CHECK_RANGES):
            peers.append({"ip_block": {"cidr": cidr}})
    return peers
