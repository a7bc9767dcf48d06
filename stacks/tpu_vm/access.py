"""What every TPU VM needs, in a group or alone: identity, firewall rules, the right to pull its image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from components.gcp.image_pull_grant import ImagePull, ImagePullArgs
from components.gcp.vm_firewall import MachineFirewall, MachineFirewallArgs
from config.targets import TpuVmTarget
from serving.deploy import container_layout
from stacks.gcp import common
from stacks.gcp.foundation_outputs import Foundation


@dataclass(frozen=True, kw_only=True)
class Site:
    """`name` begins the physical names; `ready` must exist before a machine boots, or before it is judged."""

    name: str
    provider: gcp.Provider
    opts: pulumi.ResourceOptions
    shared: Foundation
    email: pulumi.Input[str]
    ready: pulumi.ResourceOptions


def site(target: TpuVmTarget, stack: str) -> Site:
    """Declare it."""
    name = f"tpuserve-{stack}"
    provider = common.provider(target.project, target.region)
    opts = pulumi.ResourceOptions(providers=[provider], protect=target.protect)
    shared = Foundation.read(target.foundation, stack, target.region)
    email = shared.environments[stack].server_email
    clients: dict[str, Sequence[pulumi.Input[str]]] = {}
    if target.clients:
        clients["clients"] = target.clients
    if target.endpoint is not None:
        clients["balancer"] = [shared.proxies]
    firewall = MachineFirewall(
        "firewall",
        MachineFirewallArgs(
            prefix=name, network=shared.network, email=email, port=container_layout.PORT, clients=clients
        ),
        opts,
    )
    pull = ImagePull(
        "image", ImagePullArgs(region=target.region, image_prefix=shared.image_prefix, email=email), opts
    )
    return Site(
        name=name,
        provider=provider,
        opts=opts,
        shared=shared,
        email=email,
        # The firewall rules come first: without them health checks fail and the group never becomes stable.
        ready=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[firewall, pull])),
    )
