"""Warnings about zones that no list of Google has: a list ages, and Google decides."""

from collections.abc import Collection, Iterator

from config.provisioning import FlexStart, Pool, ProvisioningFallback
from config.settings import Settings
from config.targets import GkeTarget, TpuVmTarget
from serving.engine.layers import Layers
from serving.hardware.accelerators import accelerator
from serving.hardware.zones import FLEX_START_ZONES, V6E_ZONES, ZoneList, region_of
from serving.messages.finding import Finding


def zone_findings(settings: Settings) -> tuple[Finding, ...]:
    """Returns one warning for each zone of a target on Google Cloud that is in no dated list."""
    target = settings.target
    if not isinstance(target, GkeTarget | TpuVmTarget) or accelerator(settings.accelerator).is_stand_in:
        return ()
    return tuple(_findings(target))


def _findings(target: GkeTarget | TpuVmTarget) -> Iterator[Finding]:
    others = target.other_zones if isinstance(target, TpuVmTarget) else ()
    if target.zone not in V6E_ZONES.zones:
        yield _finding("zone-not-listed", "target.zone", target.zone, V6E_ZONES, others)
    elif target.zone not in FLEX_START_ZONES.zones and _has_flex_start(target.capacity):
        yield _finding("flex-start-zone-not-listed", "target.zone", target.zone, FLEX_START_ZONES)
    for zone in others:
        if zone not in V6E_ZONES.zones:
            yield _finding("other-zone-not-listed", "target.other_zones", zone, V6E_ZONES)


def _has_flex_start(capacity: Pool | ProvisioningFallback) -> bool:
    options = capacity.rungs if isinstance(capacity, ProvisioningFallback) else (capacity,)
    return any(isinstance(option, FlexStart) for option in options)


def _finding(code: str, field: str, zone: str, listed: ZoneList, taken: Collection[str] = ()) -> Finding:
    """Returns the warning; its advice is another zone of the region that is not `taken`."""
    near = [other for other in listed.zones if region_of(other) == region_of(zone) and other not in taken]
    changes = [{"target.zone": other} for other in near] if field == "target.zone" else []
    keep = "keep it if Google offers it to your project"
    granted = ", but others had capacity there" if zone in listed.granted else ""
    return Finding(
        severity="warning",
        code=code,
        field=field,
        asked=f"{field} has {zone}" if field == "target.other_zones" else f"{field} is {zone}",
        truth=f"the zone is not in the list for {listed.purpose} of {listed.source}, read in {listed.read}, "
        f"which has {', '.join(listed.zones)}{granted}; Google decides",
        change=Layers().advice(changes, keep),
        changes=tuple(changes),
        otherwise=keep,
    )
