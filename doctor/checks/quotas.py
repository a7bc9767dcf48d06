"""Quotas in chips and GB: what the stack needs beside what the others in the project use."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from config.provisioning import FlexStart, Pool, ProvisioningFallback, Spot
from config.targets import TpuVmTarget
from doctor.case import Case
from doctor.google import Absent
from doctor.outcome import Outcome, missing, note, ok

UNLIMITED = -1
"""Value of a quota without a limit."""
HYPERDISK = "HDB_TOTAL_GB"
STEP = "docs/operations.md, step 1"


@dataclass(frozen=True)
class Quota:
    """A quota of chips. `by` are the values of its dimensions that count the stack's chips.

    Ids and dimensions: `gcloud alpha quotas info list`, as others saw them (github.com/xbill9/gemma4-dev).
    """

    service: str
    id: str
    by: Mapping[str, str]
    preemptible: bool

    @property
    def place(self) -> str:
        """Region or zone in which the quota counts."""
        return self.by.get("zone") or self.by["region"]


@dataclass(frozen=True)
class Chips:
    """Chips that a quota grants, that others use, and that the stack needs during a rollout."""

    quota: Quota
    granted: int
    others: int
    needed: int

    @property
    def free(self) -> int:
        """Chips that the stack may have."""
        return self.granted - self.others

    @property
    def suffices(self) -> bool:
        """Returns whether the stack can have its chips."""
        return self.granted == UNLIMITED or self.free >= self.needed


def uses_preemptible(case: Case) -> bool:
    """Returns whether the stack's chips may count under the quota of preemptible chips."""
    return any(_is_preemptible(option) for option in case.serving.options)


def uses_on_demand(case: Case) -> bool:
    """Returns whether the stack's chips may count under the quota of the TPU family."""
    return not all(_is_preemptible(option) for option in case.serving.options)


def preemptible(case: Case) -> Outcome:
    """Compares the quota of preemptible chips with the stack's."""
    return _outcome(case, preemptible=True)


def on_demand(case: Case) -> Outcome:
    """Compares the quota of the TPU family's chips with the stack's."""
    return _outcome(case, preemptible=False)


def hyperdisk(case: Case) -> Outcome:
    """Compares the quota of Hyperdisk Balanced in the region with the stack's disks."""
    plan, region = case.serving.footprint, case.target.region
    found = [each for each in case.region.get("quotas", []) if each.get("metric") == HYPERDISK]
    if not found:
        return missing(
            f"{region} states no quota {HYPERDISK}, which the slices' disks need: look in the console."
        )
    limit, usage = (int(found[0].get(key, 0)) for key in ("limit", "usage"))
    own = sum(machine.own for machine in case.machines) * plan.slice_disks.gb
    others = max(0, usage - own)
    held = f"{limit:,} GB are granted in {region} and others use {others:,}"
    needed = f"{plan.most_disk_gb:,} GB of {plan.slice_disks.type}"
    if limit - others < plan.most_disk_gb:
        more = plan.most_disk_gb - (limit - others)
        return missing(f"The slices need {needed}, {held}: request {more:,} GB more of {HYPERDISK} ({STEP}).")
    moving = 2 * plan.servers * plan.slice_disks.gb
    if limit - others < moving:
        return note(
            f"The slices need {needed}, {held}; another zone or capacity needs {moving:,} GB while the "
            f"slices move: request {moving - (limit - others):,} GB more before."
        )
    return ok(f"The slices need {needed}, {held}.")


def _outcome(case: Case, *, preemptible: bool) -> Outcome:
    chips = _chips(case, preemptible=preemptible)
    plan, capacity = case.serving.footprint, case.serving.target.capacity
    asked = (
        f"The stack needs {chips.needed} chips ({plan.most_slices} of {plan.slice.name}) under "
        f"{chips.quota.id} in {chips.quota.place}"
    )
    held = f"{chips.granted} are granted and others use {chips.others}"
    if chips.granted == UNLIMITED:
        return ok(f"{asked}, which has no limit.")
    if not chips.suffices:
        sentence = (
            f"{asked}, {held}: request {chips.needed - chips.free} more ({STEP}), or choose another "
            "target.capacity.kind."
        )
        other_suffices = (
            isinstance(capacity, ProvisioningFallback)
            and uses_preemptible(case)
            and uses_on_demand(case)
            and _chips(case, preemptible=not preemptible).suffices
        )
        return note(sentence) if other_suffices else missing(sentence)
    moving = 2 * plan.servers * plan.slice.chips
    if chips.free < moving:
        return note(
            f"{asked}, {held}; another zone, shape or capacity needs {moving} while the servers move: "
            f"request {moving - chips.free} more before."
        )
    return ok(f"{asked}, {held}.")


def _chips(case: Case, *, preemptible: bool) -> Chips:
    """Returns the chips of one quota. Raises Refused."""
    quota = _quota(case, preemptible=preemptible)
    path = f"{case.project['name']}/locations/global/services/{quota.service}/quotaInfos/{quota.id}"
    try:
        granted = limit(case.google.get("cloudquotas", path), quota)
    except Absent:
        granted = 0
    others = (
        0
        if quota.service.startswith("tpu.")
        else sum(
            machine.chips
            for machine in case.machines
            if machine.preemptible == quota.preemptible and not machine.own
        )
    )
    return Chips(quota, granted, others, case.serving.footprint.most_chips)


def _quota(case: Case, *, preemptible: bool) -> Quota:
    target = case.serving.target
    if isinstance(target, TpuVmTarget) and target.api == "cloud-tpu":
        name = f"TPUV6E{'Preemptible' if preemptible else ''}PerProjectPerZoneForTPUAPI"
        return Quota("tpu.googleapis.com", name, {"zone": target.zone}, preemptible)
    if preemptible:
        name = "PREEMPTIBLE-TPU-V6E-per-project-region"
        return Quota("compute.googleapis.com", name, {"region": target.region}, True)
    family = case.serving.machine_type.partition("-")[0].upper()
    by = {"region": target.region, "tpu_family": family}
    return Quota("compute.googleapis.com", "TPUS-PER-TPU-FAMILY-per-project-region", by, False)


def limit(info: Mapping[str, Any], quota: Quota) -> int:
    """Returns the value of a QuotaInfo for the quota's dimensions: the most specific one that applies.

    https://docs.cloud.google.com/docs/quotas/reference/rest/v1/projects.locations.services.quotaInfos
    """
    applying = [
        each
        for each in info.get("dimensionsInfos", [])
        if each.get("dimensions", {}).items() <= quota.by.items()
        and quota.place in each.get("applicableLocations", [quota.place])
    ]
    if not applying:
        return 0
    return int(max(applying, key=lambda each: len(each.get("dimensions", {})))["details"]["value"])


def _is_preemptible(option: Pool) -> bool:
    return isinstance(option, Spot | FlexStart)
