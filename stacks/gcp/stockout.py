"""Stockouts: a sentence with the zones and provisioning models to try when Google has no slice available."""

from __future__ import annotations

from typing import get_args

import pulumi

from components.gcp.provisioning import ProvisioningModel
from config.provisioning import Pool
from config.stockout import is_stockout
from config.targets import GkeTarget, TpuVmTarget
from serving.hardware.accelerators import Accelerator
from serving.hardware.zones import FLEX_START_ZONES

MODELS: tuple[ProvisioningModel, ...] = get_args(ProvisioningModel)
CLOUD_TPU_MODELS: tuple[ProvisioningModel, ...] = ("on-demand", "spot")
"""Provisioning models of the Cloud TPU API for a machine that boots without an operator."""


def hook(target: GkeTarget | TpuVmTarget, accelerator: Accelerator, capacity: Pool) -> pulumi.ErrorHook:
    """Returns the hook that Pulumi calls when a pool, group or machine could not be created.

    For a stockout the hook logs `sentence`. It never retries.
    """

    def failed(args: pulumi.ErrorHookArgs) -> bool:
        if is_stockout(args.errors):
            pulumi.log.error(sentence(target, accelerator, capacity))
        return False

    return pulumi.ErrorHook("stockout", failed)


def sentence(target: GkeTarget | TpuVmTarget, accelerator: Accelerator, capacity: Pool) -> str:
    """Returns what was requested, and which zones and provisioning models are left to try.

    It names no zones of other regions, because each region needs a separate foundation with its weights.
    """
    tried = (target.zone, *(target.other_zones if isinstance(target, TpuVmTarget) else ()))
    zones = [
        zone
        for zone in accelerator.zones
        if zone not in tried
        and zone.startswith(f"{target.region}-")
        and (capacity.kind != "flex-start" or zone in FLEX_START_ZONES.zones)
    ]
    cloud_tpu = isinstance(target, TpuVmTarget) and target.api == "cloud-tpu"
    has_flex_start = tried == (target.zone,) and target.zone in FLEX_START_ZONES.zones
    models = [
        model
        for model in (CLOUD_TPU_MODELS if cloud_tpu else MODELS)
        if model != capacity.kind and (model != "flex-start" or has_flex_start)
    ]
    elsewhere = f"set target.zone to {' or '.join(zones)}, " if zones else ""
    return (
        f"target.capacity {capacity.kind} asks for a {accelerator.name} in {' or '.join(tried)}, where "
        f"Google has none free now; {elsewhere}set target.capacity.kind to {' or '.join(models)}, or run "
        "`pulumi up` again later: it goes on where it stopped."
    )
