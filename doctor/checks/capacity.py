"""Capacity that Google has for the stack: the zone's machines, and a reservation."""

from datetime import date

from config.provisioning import Reservation
from doctor.case import Case
from doctor.google import Absent
from doctor.outcome import Outcome, missing, note, ok
from serving.hardware.zones import V6E_ZONES, region_of

OLD_MONTHS = 6
"""Age in months from which a list of zones is worth reading again. Assumed."""


def zone(case: Case) -> Outcome:
    """Asks in which zones Google has the slice's machine type."""
    wanted, machine_type = case.serving.zones, case.serving.machine_type
    offering = _offering(case)
    lacking = [zone for zone in wanted if zone not in offering]
    if lacking:
        near = [zone for zone in sorted(offering) if region_of(zone) == case.target.region]
        change = (
            f"use {' or '.join(near)}"
            if near
            else f"choose a region with it ({', '.join(sorted({region_of(zone) for zone in offering}))}) and "
            "another project with its own foundation"
        )
        return missing(
            f"The slices are {machine_type}, which {' and '.join(lacking)} does not offer: {change}."
        )
    return ok(f"{' and '.join(wanted)} offers {machine_type}; whether some is free shows at creation.")


def zone_list(case: Case) -> Outcome:
    """Compares the age of the project's list of zones with today."""
    year, month = map(int, V6E_ZONES.read.split("-"))
    age = _months(date(year, month, 1), case.today)
    described = f"The warnings about zones come from {V6E_ZONES.source}, read in {V6E_ZONES.read}"
    if age > OLD_MONTHS:
        return note(f"{described}, {age} months ago: read it again into serving/hardware/zones.py.")
    return ok(f"{described}.")


def has_reservation(case: Case) -> bool:
    """Returns whether the stack uses a reservation."""
    return any(isinstance(option, Reservation) for option in case.serving.options)


def reservation(case: Case) -> Outcome:
    """Asks whether the reservation exists and fits the stack's slices."""
    option = next(each for each in case.serving.options if isinstance(each, Reservation))
    plan, zone = case.serving.footprint, case.serving.target.zone
    owner = option.project or case.target.project
    machine_type = case.serving.machine_type
    described = f"target.capacity names the reservation {option.name} in {zone} of {owner}"
    try:
        found = case.google.get("compute", f"projects/{owner}/zones/{zone}/reservations/{option.name}")
    except Absent:
        return missing(
            f"{described}, and there is none: run `gcloud compute reservations create {option.name} "
            f"--project={owner} --zone={zone} --machine-type={machine_type} --vm-count={plan.most_slices} "
            "--require-specific-reservation`, or ask your account team."
        )
    if found.get("status") != "READY":
        return missing(f"{described}, which is {found.get('status')} and not READY: wait, or repair it.")
    specific = found.get("specificReservation")
    if specific is None:
        return note(
            f"{described}, which counts no machines of one type: compare it with {machine_type} yourself."
        )
    reserved = specific.get("instanceProperties", {}).get("machineType")
    if reserved != machine_type:
        return missing(
            f"{described}, which is for {reserved}, and the slices are {machine_type}: set accelerator to "
            "that machine's slice, or name another reservation."
        )
    own = sum(machine.own for machine in case.machines)
    count, used = int(specific.get("count", 0)), int(specific.get("inUseCount", 0))
    others = max(0, used - own)
    if count - others < plan.most_slices:
        return missing(
            f"{described}, which has {count} machines, {others} of them used by others, and the stack needs "
            f"{plan.most_slices}: enlarge it, or lower replicas or rollout.surge."
        )
    return ok(f"{described}, which has {count} machines; the stack needs {plan.most_slices}.")


def _offering(case: Case) -> set[str]:
    """Returns the zones that have the slice's machine type."""
    return {
        scope.removeprefix("zones/")
        for page in case.google.pages(
            "compute",
            f"projects/{case.target.project}/aggregated/machineTypes",
            filter=f'name = "{case.serving.machine_type}"',
            fields="items/*/machineTypes/name,nextPageToken",
        )
        for scope, content in page.get("items", {}).items()
        if content.get("machineTypes")
    }


def _months(start: date, end: date) -> int:
    return 12 * (end.year - start.year) + end.month - start.month
