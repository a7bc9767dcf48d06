"""No capacity: Google's message becomes a sentence with the zones and the ways to buy that are left."""

from __future__ import annotations

import pulumi

from config.provisioning import Pool
from config.targets import GkeTarget, TpuVmTarget
from serving.hardware.accelerators import Accelerator
from stacks.gcp.checks import FLEX_START_ZONES

# How Google says it: GKE (github.com/hashicorp/terraform-provider-google, issue 10121), Compute Engine
# (https://cloud.google.com/compute/docs/troubleshooting/troubleshooting-resource-availability) and the Cloud
# TPU API (github.com/GoogleCloudPlatform/magic-modules, pull request 7297).
SIGNS = (
    "STOCKOUT",
    "RESOURCE_POOL_EXHAUSTED",
    "does not have enough resources",
    "no more capacity in the zone",
)

WAYS = ("on-demand", "spot", "flex-start", "reservation")
SINGLE_WAYS = ("on-demand", "spot")
"""What the Cloud TPU API has for a machine that boots by itself."""


def hook(target: GkeTarget | TpuVmTarget, accelerator: Accelerator, capacity: Pool) -> pulumi.ErrorHook:
    """What the engine calls when a pool or group could not be made: it says the sentence and gives up."""

    def failed(args: pulumi.ErrorHookArgs) -> bool:
        if is_stockout(args.errors):
            pulumi.log.error(sentence(target, accelerator, capacity))
        return False

    return pulumi.ErrorHook("stockout", failed)


def is_stockout(errors: list[str]) -> bool:
    """Whether the provider's messages tell of missing capacity, and not of something to mend."""
    return any(sign in error for error in errors for sign in SIGNS)


def sentence(target: GkeTarget | TpuVmTarget, accelerator: Accelerator, capacity: Pool) -> str:
    """What was asked, what is left to try, and that nothing is lost.

    Zones of other regions are not named: they need a foundation, with weights, of their own.
    """
    tried = (target.zone, *(target.other_zones if isinstance(target, TpuVmTarget) else ()))
    zones = [
        zone
        for zone in accelerator.zones
        if zone not in tried
        and zone.startswith(f"{target.region}-")
        and (capacity.kind != "flex-start" or zone in FLEX_START_ZONES)
    ]
    single = isinstance(target, TpuVmTarget) and target.api == "cloud-tpu"
    requestable = tried == (target.zone,) and target.zone in FLEX_START_ZONES
    ways = [
        way
        for way in (SINGLE_WAYS if single else WAYS)
        if way != capacity.kind and (way != "flex-start" or requestable)
    ]
    elsewhere = f"set target.zone to {' or '.join(zones)}, " if zones else ""
    return (
        f"target.capacity {capacity.kind} asks for a {accelerator.name} in {' or '.join(tried)}, where "
        f"Google has none free now; {elsewhere}set target.capacity.kind to {' or '.join(ways)}, or run "
        "`pulumi up` again later: it goes on where it stopped."
    )
