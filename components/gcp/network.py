"""A VPC for private clusters: nodes without public addresses, a way out, and no way in."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

# Google's load balancers ask for health from here:
# https://cloud.google.com/load-balancing/docs/health-check-concepts#ip-ranges
HEALTH_CHECK_RANGES = ("35.191.0.0/16", "130.211.0.0/22")


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """Ranges are CIDR blocks; `pods` maps the name of each secondary range to its block."""

    region: str
    nodes: str
    proxies: str
    pods: Mapping[str, str]


class Network(pulumi.ComponentResource):
    """One network with one subnet for nodes, a subnet for load balancers' proxies, NAT, and closed doors."""

    network: pulumi.Output[str]
    """Self link of the VPC."""
    subnetwork: pulumi.Output[str]
    """Self link of the nodes' subnet."""
    proxies: pulumi.Output[str]
    """Range from which load balancers' proxies call the pods."""

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
            # Nodes have no public address: this is how they reach Google's APIs.
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
            # Regional load balancers need one such subnet a region
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
            # What the VPC implies anyway, made visible and logged. GKE's own rules, at 1000, come first.
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
