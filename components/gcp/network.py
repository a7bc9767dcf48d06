"""VPC for private clusters: nodes without public addresses, egress by Cloud NAT, and no ingress."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

HEALTH_CHECK_RANGES = ("35.191.0.0/16", "130.211.0.0/22")
"""Ranges from which Google's load balancers send health checks
(https://cloud.google.com/load-balancing/docs/health-check-concepts#ip-ranges)."""


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """Arguments of the network. Ranges are CIDR blocks."""

    region: str
    nodes: str
    """Range of the nodes' subnet."""
    proxies: str
    """Range of the proxy-only subnet of load balancers."""
    pods: Mapping[str, str]
    """Secondary ranges for pods: name of the range -> CIDR block."""


class Network(pulumi.ComponentResource):
    """One VPC with a subnet for nodes, a proxy-only subnet, Cloud NAT, and a rule that denies all ingress."""

    network: pulumi.Output[str]
    """Self link of the VPC."""
    subnetwork: pulumi.Output[str]
    """Self link of the nodes' subnet."""
    proxies: pulumi.Output[str]
    """Range from which the load balancers' proxies call the pods."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:gcp:Network", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        network = gcp.compute.Network(
            f"{name}-vpc", name=name, auto_create_subnetworks=False, routing_mode="REGIONAL", opts=child
        )
        nodes = gcp.compute.Subnetwork(
            f"{name}-nodes",
            name=f"{name}-nodes",
            region=args.region,
            network=network.id,
            ip_cidr_range=args.nodes,
            # Nodes have no public address, so they need this to reach Google's APIs.
            private_ip_google_access=True,
            secondary_ip_ranges=[
                {"range_name": range_name, "ip_cidr_range": block} for range_name, block in args.pods.items()
            ],
            log_config={"aggregation_interval": "INTERVAL_10_MIN", "flow_sampling": 0.1},
            opts=child,
        )
        proxies = gcp.compute.Subnetwork(
            f"{name}-proxies",
            name=f"{name}-proxies",
            region=args.region,
            network=network.id,
            ip_cidr_range=args.proxies,
            # Regional load balancers need one such subnet in each region
            # (https://cloud.google.com/load-balancing/docs/proxy-only-subnets).
            purpose="REGIONAL_MANAGED_PROXY",
            role="ACTIVE",
            opts=child,
        )
        router = gcp.compute.Router(
            f"{name}-router", name=name, region=args.region, network=network.id, opts=child
        )
        gcp.compute.RouterNat(
            f"{name}-nat",
            name=name,
            region=args.region,
            router=router.name,
            nat_ip_allocate_option="AUTO_ONLY",
            source_subnetwork_ip_ranges_to_nat="ALL_SUBNETWORKS_ALL_IP_RANGES",
            log_config={"enable": True, "filter": "ERRORS_ONLY"},
            opts=child,
        )
        gcp.compute.Firewall(
            f"{name}-deny-ingress",
            name=f"{name}-deny-ingress",
            network=network.id,
            direction="INGRESS",
            # The VPC's implied rule denies the same; this one is visible and logged. GKE's rules, with
            # priority 1000, are evaluated before it.
            priority=65534,
            denies=[{"protocol": "all"}],
            source_ranges=["0.0.0.0/0"],
            log_config={"metadata": "EXCLUDE_ALL_METADATA"},
            opts=child,
        )
        self.network = network.id
        self.subnetwork = nodes.id
        self.proxies = proxies.ip_cidr_range
        self.register_outputs(
            {"network": self.network, "subnetwork": self.subnetwork, "proxies": self.proxies}
        )
