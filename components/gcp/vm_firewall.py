"""Firewall rules of TPU VMs: Google's health checks, IAP's tunnel for operators, and the named clients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from components.gcp.network import HEALTH_CHECK_RANGES

IAP_RANGES = ("35.235.240.0/20",)
"""Range of IAP's TCP forwarding
(https://cloud.google.com/iap/docs/using-tcp-forwarding#create-firewall-rule)."""
SSH = 22


@dataclass(frozen=True, kw_only=True)
class MachineFirewallArgs:
    """Arguments of the rules."""

    prefix: str
    """Prefix of each rule's physical name; the caller's short name follows it."""
    network: pulumi.Input[str]
    """Self link of the VPC."""
    email: pulumi.Input[str]
    """Email of a service account. The rules apply only to machines of this account."""
    port: int
    """Port of the server."""
    clients: Mapping[str, Sequence[pulumi.Input[str]]]
    """CIDR blocks that may call the server, by a short name."""


class MachineFirewall(pulumi.ComponentResource):
    """One ingress rule for each kind of caller. The network's deny rule rejects everything else."""

    def __init__(
        self, name: str, args: MachineFirewallArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tpuserve:gcp:MachineFirewall", name, None, opts)
        callers: dict[str, tuple[Sequence[pulumi.Input[str]], list[int]]] = {
            "health-checks": (HEALTH_CHECK_RANGES, [args.port]),
            "operators": (IAP_RANGES, [SSH, args.port]),
            **{caller: (ranges, [args.port]) for caller, ranges in args.clients.items()},
        }
        for caller, (ranges, ports) in callers.items():
            gcp.compute.Firewall(
                f"{name}-{caller}",
                name=f"{args.prefix}-{caller}",
                network=args.network,
                direction="INGRESS",
                priority=1000,
                source_ranges=list(ranges),
                target_service_accounts=[args.email],
                allows=[{"protocol": "tcp", "ports": [str(port) for port in ports]}],
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})
