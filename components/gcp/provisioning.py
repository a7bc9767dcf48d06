"""Provisioning models of TPU capacity, as fields of a node pool and of an instance template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    # Only for annotations: a GKE stack's imports would take twice as long with the SDK's compute package.
    from pulumi_gcp.compute import (
        InstanceTemplateReservationAffinityArgsDict,
        InstanceTemplateSchedulingArgsDict,
    )
    from pulumi_gcp.container import NodePoolNodeConfigArgsDict

ProvisioningModel = Literal["on-demand", "spot", "flex-start", "reservation"]


@dataclass(frozen=True, kw_only=True)
class ReservationName:
    """Name of a reservation, and the project that owns it when that project shares it with this one."""

    name: str
    project: str | None = None

    @property
    def path(self) -> str:
        """The value that a reservation affinity takes: a shared reservation includes its project."""
        return f"projects/{self.project}/reservations/{self.name}" if self.project else self.name


@dataclass(frozen=True, kw_only=True)
class Provisioning:
    """Provisioning of a node or a machine: its model, and the values that this model needs."""

    model: ProvisioningModel
    reservation: ReservationName | None = None
    """Set for the model "reservation", and only for it."""
    max_run_seconds: int | None = None
    """Seconds after which Google deletes a flex-start machine. Set for the model "flex-start"."""


def node_config_fields(provisioning: Provisioning) -> NodePoolNodeConfigArgsDict:
    """Returns the fields of a node pool's node configuration that state the provisioning model.

    The reservation affinity is always stated. If it is unset, a node uses any reservation that fits, and
    GKE allows a spot or flex-start node to use none.
    """
    no_reservation: NodePoolNodeConfigArgsDict = {
        "reservation_affinity": {"consume_reservation_type": "NO_RESERVATION"}
    }
    match provisioning.model:
        case "on-demand":
            return no_reservation
        case "spot":
            return {**no_reservation, "spot": True}
        case "flex-start":
            return {
                **no_reservation,
                "flex_start": True,
                "max_run_duration": f"{provisioning.max_run_seconds}s",
            }
        case "reservation":
            assert provisioning.reservation is not None
            return {
                "reservation_affinity": {
                    "consume_reservation_type": "SPECIFIC_RESERVATION",
                    "key": "compute.googleapis.com/reservation-name",
                    "values": [provisioning.reservation.path],
                }
            }


class TemplateFields(NamedTuple):
    """Fields of an instance template that state the provisioning model."""

    scheduling: InstanceTemplateSchedulingArgsDict
    reservation_affinity: InstanceTemplateReservationAffinityArgsDict


def template_fields(provisioning: Provisioning) -> TemplateFields:
    """Returns the fields of an instance template that state the provisioning model.

    A TPU machine cannot migrate, so host maintenance always terminates it
    (https://cloud.google.com/compute/docs/instances/host-maintenance-overview).
    """
    no_reservation: InstanceTemplateReservationAffinityArgsDict = {"type": "NO_RESERVATION"}
    match provisioning.model:
        case "on-demand":
            return TemplateFields(_standard(), no_reservation)
        case "spot":
            # STOP, not DELETE: the group then recreates a preempted machine with the same data disk.
            return TemplateFields(
                {
                    "provisioning_model": "SPOT",
                    "preemptible": True,
                    "automatic_restart": False,
                    "on_host_maintenance": "TERMINATE",
                    "instance_termination_action": "STOP",
                },
                no_reservation,
            )
        case "flex-start":
            assert provisioning.max_run_seconds is not None
            return TemplateFields(
                {
                    "provisioning_model": "FLEX_START",
                    "automatic_restart": False,
                    "on_host_maintenance": "TERMINATE",
                    "instance_termination_action": "DELETE",
                    "max_run_duration": {"seconds": provisioning.max_run_seconds},
                },
                no_reservation,
            )
        case "reservation":
            assert provisioning.reservation is not None
            return TemplateFields(
                _standard(),
                {
                    "type": "SPECIFIC_RESERVATION",
                    "specific_reservation": {
                        "key": "compute.googleapis.com/reservation-name",
                        "values": [provisioning.reservation.path],
                    },
                },
            )


def _standard() -> InstanceTemplateSchedulingArgsDict:
    return {
        "provisioning_model": "STANDARD",
        "automatic_restart": True,
        "on_host_maintenance": "TERMINATE",
    }
