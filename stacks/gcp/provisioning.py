"""The settings' provisioning options as the components take them."""

from __future__ import annotations

from components.gcp.provisioning import Purchase, ReservationName
from config.provisioning import FlexStart, OnDemand, Pool, Reservation, Spot


def purchase(capacity: Pool) -> Purchase:
    """The settings' way to buy, as the components take it."""
    match capacity:
        case OnDemand():
            return Purchase(way="on-demand")
        case Spot():
            return Purchase(way="spot")
        case FlexStart():
            return Purchase(way="flex-start", max_run_seconds=3600 * capacity.max_run_hours)
        case Reservation():
            reserved = ReservationName(name=capacity.name, project=capacity.project)
            return Purchase(way="reservation", reservation=reserved)
