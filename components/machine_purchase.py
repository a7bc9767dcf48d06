"""The ways to buy a TPU machine, as an instance template says them: each with its own fields alone."""

from typing import NamedTuple

from pulumi_gcp.compute import (
    InstanceTemplateReservationAffinityArgsDict,
    InstanceTemplateSchedulingArgsDict,
)

from components.purchase import Purchase


class Bought(NamedTuple):
    """What a template says about its machines' capacity."""

    scheduling: InstanceTemplateSchedulingArgsDict
    reservation_affinity: InstanceTemplateReservationAffinityArgsDict


def machine(purchase: Purchase) -> Bought:
    """The fields of one way to buy. A TPU machine cannot move, so host maintenance always ends it
    (https://cloud.google.com/compute/docs/instances/host-maintenance-overview)."""
    none: InstanceTemplateReservationAffinityArgsDict = {"type": "NO_RESERVATION"}
    match purchase.way:
        case "on-demand":
            return Bought(_standard(), none)
        case "spot":
            # Stopped, not deleted, on preemption: the group makes it anew with the same disk.
            return Bought(
                {
                    "provisioning_model": "SPOT",
                    "preemptible": True,
                    "automatic_restart": False,
                    "on_host_maintenance": "TERMINATE",
                    "instance_termination_action": "STOP",
                },
                none,
            )
        case "flex-start":
            assert purchase.max_run_seconds is not None
            return Bought(
                {
                    "provisioning_model": "FLEX_START",
                    "automatic_restart": False,
                    "on_host_maintenance": "TERMINATE",
                    "instance_termination_action": "DELETE",
                    "max_run_duration": {"seconds": purchase.max_run_seconds},
                },
                none,
            )
        case "reservation":
            assert purchase.reservation is not None
            return Bought(
                _standard(),
                {
                    "type": "SPECIFIC_RESERVATION",
                    "specific_reservation": {
                        "key": "compute.googleapis.com/reservation-name",
                        "values": [purchase.reservation],
                    },
                },
            )


def _standard() -> InstanceTemplateSchedulingArgsDict:
    return {
        "provisioning_model": "STANDARD",
        "automatic_restart": True,
        "on_host_maintenance": "TERMINATE",
    }
