"""The ways to buy a TPU node or machine, as a node pool and an instance template say them."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from pulumi_gcp.compute import (
    InstanceTemplateReservationAffinityArgsDict,
    InstanceTemplateSchedulingArgsDict,
)
from pulumi_gcp.container import NodePoolNodeConfigArgsDict


@dataclass(frozen=True, kw_only=True)
class ReservationName:
    """Name of a reservation, and of its project when that is another one that shares it."""

    name: str
    project: str | None = None

    @property
    def path(self) -> str:
        """The name as an affinity has it: of a shared reservation with its project (the API's `values`)."""
        return f"projects/{self.project}/reservations/{self.name}" if self.project else self.name


@dataclass(frozen=True, kw_only=True)
class Purchase:
    """How nodes are bought. `reservation` is set where `way` is "reservation".

    `max_run_seconds` is the life of a flex-start node.
    """

    way: Literal["on-demand", "spot", "flex-start", "reservation"]
    reservation: ReservationName | None = None
    max_run_seconds: int | None = None


def bought(purchase: Purchase) -> NodePoolNodeConfigArgsDict:
    """The node fields of one way to buy, and none of another's. The affinity is always said: unset, a node
    takes any reservation that fits, and a spot or flex-start node may take none."""
    none: NodePoolNodeConfigArgsDict = {
        "reservation_affinity": {"consume_reservation_type": "NO_RESERVATION"}
    }
    match purchase.way:
        case "on-demand":
            return none
        case "spot":
            return {**none, "spot": True}
        case "flex-start":
            return {**none, "flex_start": True, "max_run_duration": f"{purchase.max_run_seconds}s"}
        case "reservation":
            assert purchase.reservation is not None
            return {
                "reservation_affinity": {
                    "consume_reservation_type": "SPECIFIC_RESERVATION",
                    "key": "compute.googleapis.com/reservation-name",
                    "values": [purchase.reservation.path],
                }
            }


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
                        "values": [purchase.reservation.path],
                    },
                },
            )


def _standard() -> InstanceTemplateSchedulingArgsDict:
    return {
        "provisioning_model": "STANDARD",
        "automatic_restart": True,
        "on_host_maintenance": "TERMINATE",
    }
