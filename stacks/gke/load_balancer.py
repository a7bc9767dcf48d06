"""The load balancer with TLS in front of a GKE stack's server."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as k8s

from components.gcp.certificate import Certificate, CertificateArgs
from components.kubernetes.gateway import Gateway, GatewayArgs
from config.targets import Endpoint, GkeTarget
from serving.deploy import container_layout
from stacks.gcp.foundation_outputs import Foundation
from stacks.plan import Plan


def load_balancer(
    target: GkeTarget,
    wanted: Endpoint,
    resolved: Plan,
    space: k8s.core.v1.Namespace,
    shared: Foundation,
    server: pulumi.Resource,
    provider: gcp.Provider,
    kube: k8s.Provider,
) -> str:
    """Certificate and load balancer; returns the URL that clients use."""
    name = f"tpuserve-{pulumi.get_stack()}"
    certificate = Certificate(
        "certificate",
        CertificateArgs(certificate=name, region=target.region, hostname=wanted.hostname),
        pulumi.ResourceOptions(providers=[provider]),
    )
    gateway = Gateway(
        "gateway",
        GatewayArgs(
            gateway=name,
            region=target.region,
            subnetwork=shared.subnetwork,
            namespace=space.metadata.name,
            service=container_layout.SERVER,
            exposure=wanted.exposure,
            hostname=wanted.hostname,
            certificate=certificate.name,
            lifecycle=resolved.lifecycle,
        ),
        # The policies name the server's Service; the load balancer goes before what it points at.
        pulumi.ResourceOptions(providers=[provider, kube], depends_on=[server]),
    )
    address = gateway.address.apply(lambda address: f"{wanted.hostname} A {address}")
    pulumi.export("dns_records", [address, certificate.dns_record])
    return f"https://{wanted.hostname}/v1"
