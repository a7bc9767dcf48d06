"""Internal load balancer: one address with TLS inside the VPC, in front of a group of TPU VMs."""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True)
class InternalLoadBalancerArgs:
    """Arguments of the load balancer."""

    balancer: str
    """Physical name of each of its parts."""
    region: str
    network: pulumi.Input[str]
    subnetwork: pulumi.Input[str]
    """Self link of the subnet that the address comes from."""
    instances: pulumi.Input[str]
    """Self link of the instance group."""
    certificate: pulumi.Input[str]
    """Id of a regional certificate in Certificate Manager."""
    port: int
    """Port of the server."""
    health_period_seconds: int
    """Seconds between two probes of `/ready`. After two failed probes a machine gets no new request."""
    timeout_seconds: int
    """Seconds that one response may take."""
    drain_seconds: int
    """Seconds that requests in flight continue after a machine has left."""


class InternalLoadBalancer(pulumi.ComponentResource):
    """A regional internal Application Load Balancer. Its proxies call from the proxy-only subnet."""

    address: pulumi.Output[str]
    """IP address that the hostname has to resolve to."""

    def __init__(
        self, name: str, args: InternalLoadBalancerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tpuserve:gcp:InternalLoadBalancer", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        check = gcp.compute.RegionHealthCheck(
            f"{name}-ready",
            name=args.balancer,
            region=args.region,
            check_interval_sec=args.health_period_seconds,
            timeout_sec=args.health_period_seconds,
            healthy_threshold=1,
            unhealthy_threshold=2,
            http_health_check={"port": args.port, "request_path": "/ready"},
            opts=child,
        )
        backend = gcp.compute.RegionBackendService(
            f"{name}-backend",
            name=args.balancer,
            region=args.region,
            protocol="HTTP",
            port_name="http",
            load_balancing_scheme="INTERNAL_MANAGED",
            health_checks=check.id,
            backends=[{"group": args.instances, "balancing_mode": "UTILIZATION", "capacity_scaler": 1.0}],
            timeout_sec=args.timeout_seconds,
            connection_draining_timeout_sec=args.drain_seconds,
            opts=child,
        )
        routes = gcp.compute.RegionUrlMap(
            f"{name}-routes", name=args.balancer, region=args.region, default_service=backend.id, opts=child
        )
        proxy = gcp.compute.RegionTargetHttpsProxy(
            f"{name}-proxy",
            name=args.balancer,
            region=args.region,
            url_map=routes.id,
            certificate_manager_certificates=[args.certificate],
            opts=child,
        )
        rule = gcp.compute.ForwardingRule(
            f"{name}-address",
            name=args.balancer,
            region=args.region,
            load_balancing_scheme="INTERNAL_MANAGED",
            ip_protocol="TCP",
            port_range="443",
            network=args.network,
            subnetwork=args.subnetwork,
            target=proxy.id,
            opts=child,
        )
        self.address = rule.ip_address
        self.register_outputs({"address": self.address})
