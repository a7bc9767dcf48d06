"""Inputs of the server's pod on GKE: volumes from the bucket, secrets as files, and allowed traffic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
from pulumi_kubernetes.core.v1 import VolumeArgsDict
from pulumi_kubernetes.networking.v1 import NetworkPolicyEgressRuleArgsDict, NetworkPolicyPeerArgsDict

from components.gcp.network import HEALTH_CHECK_RANGES
from components.kubernetes import weights_volume
from components.kubernetes.egress_rules import DNS, GOOGLE_APIS, INTERNET, METADATA, service_port
from components.kubernetes.pod_volumes import ServerVolumes
from components.kubernetes.security_context import PodUser
from components.kubernetes.weights_job import Weights
from serving.engine.config import EngineConfig
from serving.engine.trace_collector import collector
from serving.hardware import host_resources
from serving.messages.units import GIB
from stacks.workload import PodInputs

CPU = "24"
"""Requested CPUs for the API server, the engine and the compile threads. Without a limit the pod may use all
CPUs of the machine."""
SHARED_MEMORY = "16Gi"
COMPILE_CACHE = "50Gi"
"""Size limit of the compile cache on the node's 200 GB disk."""


def memory(weight_bytes: int) -> str:
    """Returns the server's host memory as a Kubernetes quantity."""
    return f"{host_resources.server_bytes(weight_bytes) // GIB}Gi"


def pod_inputs(
    *,
    user: PodUser,
    weights: Weights,
    image: pulumi.Input[str],
    node_selector: Mapping[str, pulumi.Input[str]],
    api_key: VolumeArgsDict | None,
    api_key_secret: pulumi.Input[str] | None,
    proxies: pulumi.Input[str] | None,
    egress: Sequence[NetworkPolicyEgressRuleArgsDict],
    account_annotations: Mapping[str, pulumi.Input[str]],
    after: Sequence[pulumi.Resource],
) -> PodInputs:
    """Returns the inputs. `proxies` is the range of the load balancer's proxies, None without one.

    `egress` is what the engine calls beside Google's APIs (`engine_egress`).
    """
    return PodInputs(
        user=user,
        image=image,
        node_selector=node_selector,
        volumes=ServerVolumes(
            models=weights_volume.weights_volume(weights.bucket, weights.directory, user),
            compile_cache_size=COMPILE_CACHE,
            api_key=api_key,
            shared_memory=SHARED_MEMORY,
            unmounted=[weights_volume.cache_volume(weights.bytes)],
        ),
        cpu=CPU,
        memory=memory(weights.bytes),
        clients=clients(proxies),
        egress=[DNS, METADATA, GOOGLE_APIS, *egress],
        bucket=weights.bucket,
        api_key_secret=api_key_secret,
        storage_environment={},
        account_annotations=account_annotations,
        pod_annotations=weights_volume.annotations(weights.bytes),
        after=after,
    )


def engine_egress(engine: EngineConfig) -> list[NetworkPolicyEgressRuleArgsDict]:
    """Returns the rules for what the engine calls: hosts of media, and the collector of traces."""
    rules = [INTERNET] if engine.allowed_media_domains else []
    if engine.otlp_traces_endpoint:
        rules.append(service_port(*collector(engine.otlp_traces_endpoint)))
    return rules


def clients(proxies: pulumi.Input[str] | None) -> list[NetworkPolicyPeerArgsDict]:
    """Returns the peers that may call the server: pods of its namespace, Google's metric collectors, and the
    load balancer with its health checks, if there is one."""
    peers: list[NetworkPolicyPeerArgsDict] = [
        {"pod_selector": {}},
        {"namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": "gmp-system"}}},
    ]
    if proxies is not None:
        for cidr in (proxies, *HEALTH_CHECK_RANGES):
            peers.append({"ip_block": {"cidr": cidr}})
    return peers
