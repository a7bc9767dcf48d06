"""The ways to buy a TPU node, as a node pool says them."""

from dataclasses import dataclass
from typing import Literal

from pulumi_gcp.container import NodePoolNodeConfigArgsDict


@dataclass(frozen=True, kw_only=True)
class Purchase:
    """How nodes are bought. `reservation` is its name, or its path when it belongs to another project.

    `max_run_seconds` is the life of a flex-start node.
    """

    way: Literal["on-demand", "spot", "flex-start", "reservation"]
    reservation: str | None = None
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
                    "values": [purchase.reservation],
                }
            }
