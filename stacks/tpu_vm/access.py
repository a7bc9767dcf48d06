"""Access of TPU VMs: the server's identity, firewall rules, and permission to pull the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from components.gcp.image_pull_grant import ImagePull
from components.gcp.vm_firewall import MachineFirewall, MachineFirewallArgs
from config.targets import TpuVmTarget
from serving.deploy import container_layout
from stacks.gcp import common
from stacks.gcp.foundation_outputs import Foundation
from stacks.gcp.server_image import pull_grant


@dataclass(frozen=True, kw_only=True)
class Access:
    """Provider, foundation and account of a stack's machines, with the options of their resources."""

    name: str
    """Prefix of the physical names."""
    provider: gcp.Provider
    opts: pulumi.ResourceOptions
    """Options of a component that does not depend on the firewall rules and the image grant."""
    foundation: Foundation
    email: pulumi.Input[str]
    """Email of the machines' service account."""
    ready: pulumi.ResourceOptions
    """Options of a component that creates machines: it waits for the firewall rules and the image grant."""


def access(target: TpuVmTarget, stack: str, image: str) -> Access:
    """Declares the firewall rules and the grant for `image`, and reads the foundation."""
    name = f"tpuserve-{stack}"
    provider = common.provider(target.project, target.region)
    opts = pulumi.ResourceOptions(providers=[provider], protect=target.protect)
    foundation = Foundation.read(target.foundation, stack, target.region)
    email = foundation.environments[stack].server_email
    clients: dict[str, Sequence[pulumi.Input[str]]] = {}
    if target.clients:
        clients["clients"] = target.clients
    if target.endpoint is not None:
        clients["balancer"] = [foundation.proxies]
    firewall = MachineFirewall(
        "firewall",
        MachineFirewallArgs(
            prefix=name, network=foundation.network, email=email, port=container_layout.PORT, clients=clients
        ),
        opts,
    )
    pull = ImagePull("image", pull_grant(image, foundation, target.region, email), opts)
    return Access(
        name=name,
        provider=provider,
        opts=opts,
        foundation=foundation,
        email=email,
        # Create the firewall rules first: without them health checks fail and the group never becomes stable.
        ready=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[firewall, pull])),
    )
