"""Who may reach TPU VMs: Google's health checks, IAP's tunnel for operators, and the named clients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from components.gcp.network import HEALTH_CHECK_RANGES

# https://cloud.google.com/iap/docs/using-tcp-forwarding#create-firewall-rule
TUNNEL = ("35.235.240.0/20",)
SSH = 22


@dataclass(frozen=True, kw_only=True)
class MachineFirewallArgs:
    """Rules hold for machines of the account `email` alone. `clients` maps a short name to ranges."""

    prefix: str
    network: pulumi.Input[str]
    email: pulumi.Input[str]
    port: int
    clients: Mapping[str, Sequence[pulumi.Input[str]]]


class MachineFirewall(pulumi.ComponentResource):
    """One rule for each kind of caller; everything else meets the network's closed door."""

    def __init__(
        self, name: str, args: MachineFirewallArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tpuserve:gcp:MachineFirewall", name, None, opts)
        callers: dict[str, tuple[Sequence[pulumi.Input[str]], list[int]]] = {
            "health-checks": (HEALTH_CHECK_RANGES, [args.port]),
            "operators": (TUNNEL, [SSH, args.port]),
            **{who: (ranges, [args.port]) for who, ranges in args.clients.items()},
        }
        for who, (ranges, ports) in callers.items():
            gcp.compute.Firewall(
                f"{name}-{who}",
                name=f"{args.prefix}-{who}",
                network=args.network,
                direction="INGRESS",
                priority=1000,
                source_ranges=list(ranges),
                target_service_accounts=[args.email],
                allows=[{"protocol": "tcp", "ports": [str(port) for port in ports]}],
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})
