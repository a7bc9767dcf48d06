"""Provisioning options of the settings, in the form that components accept."""

from __future__ import annotations

from components.gcp.provisioning import Provisioning, ReservationName
from config.provisioning import FlexStart, OnDemand, Pool, Reservation, Spot


def provisioning(capacity: Pool) -> Provisioning:
    """Returns `target.capacity`, or one of its rungs, as components accept it."""
    match capacity:
        case OnDemand():
            return Provisioning(model="on-demand")
        case Spot():
            return Provisioning(model="spot")
        case FlexStart():
            return Provisioning(model="flex-start", max_run_seconds=3600 * capacity.max_run_hours)
        case Reservation():
            reservation = ReservationName(name=capacity.name, project=capacity.project)
            return Provisioning(model="reservation", reservation=reservation)
