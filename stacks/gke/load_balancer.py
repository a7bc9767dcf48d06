"""Load balancer with TLS in front of a GKE stack's server."""

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
    endpoint: Endpoint,
    resolved: Plan,
    namespace: k8s.core.v1.Namespace,
    foundation: Foundation,
    server: pulumi.Resource,
    provider: gcp.Provider,
    kube: k8s.Provider,
) -> str:
    """Declares certificate and load balancer, and returns the URL that clients use."""
    name = f"tpuserve-{pulumi.get_stack()}"
    certificate = Certificate(
        "certificate",
        CertificateArgs(certificate=name, region=target.region, hostname=endpoint.hostname),
        pulumi.ResourceOptions(providers=[provider]),
    )
    gateway = Gateway(
        "gateway",
        GatewayArgs(
            gateway=name,
            region=target.region,
            subnetwork=foundation.subnetwork,
            namespace=namespace.metadata.name,
            service=container_layout.SERVER,
            exposure=endpoint.exposure,
            hostname=endpoint.hostname,
            certificate=certificate.name,
            lifecycle=resolved.lifecycle,
        ),
        # After the server, because the policies name its Service, and because a destroy has to delete the
        # load balancer before the Service.
        pulumi.ResourceOptions(providers=[provider, kube], depends_on=[server]),
    )
    address_record = gateway.address.apply(lambda address: f"{endpoint.hostname} A {address}")
    pulumi.export("dns_records", [address_record, certificate.dns_record])
    return f"https://{endpoint.hostname}/v1"
