"""Provisioning models of TPU nodes: one class each, with exactly the fields that Google accepts for it."""

from typing import Annotated, Literal

from pydantic import Field

from config.strict_model import StrictModel

WAIT_MINUTES = 120
"""Minutes that a stack waits for flex-start or ComputeClass nodes. Assumed: no source promises a time."""


class OnDemand(StrictModel):
    """Nodes at list price and without a time limit, when the zone has them."""

    kind: Literal["on-demand"]


class Spot(StrictModel):
    """Cheaper nodes that Google takes back with 30 seconds' notice."""

    kind: Literal["spot"]


class FlexStart(StrictModel):
    """Nodes that come when Google has some and end after `max_run_hours`: not for an always-on server.

    Only single-host TPU slices, at most seven days, GKE 1.33.0-gke.1712000 or later
    (https://cloud.google.com/kubernetes-engine/docs/concepts/dws).
    """

    kind: Literal["flex-start"]
    max_run_hours: int = Field(default=168, ge=1, le=168, description="Life of a node.")
    wait_minutes: int = Field(default=WAIT_MINUTES, ge=1, description="How long a deployment waits for one.")


class Reservation(StrictModel):
    """Nodes that you have reserved; the stack uses no others when they are occupied."""

    kind: Literal["reservation"]
    name: str = Field(min_length=1, description="The reservation's name.")
    project: str | None = Field(default=None, min_length=1, description="Its project, if it is shared.")


ProvisioningOption = Annotated[OnDemand | Spot | FlexStart | Reservation, Field(discriminator="kind")]


class ProvisioningFallback(StrictModel):
    """A ComputeClass: GKE creates the node with the first of `rungs` for which it has capacity."""

    kind: Literal["compute-class"]
    rungs: tuple[ProvisioningOption, ...] = Field(
        min_length=2, strict=False, description="Provisioning models, best first."
    )
    wait_minutes: int = Field(default=WAIT_MINUTES, ge=1, description="How long a deployment waits for one.")


Pool = OnDemand | Spot | FlexStart | Reservation
"""Provisioning models of a node pool that the stack creates."""

Capacity = Annotated[
    OnDemand | Spot | FlexStart | Reservation | ProvisioningFallback, Field(discriminator="kind")
]


def node_wait_seconds(capacity: Pool | ProvisioningFallback) -> int:
    """Returns the seconds that a rollout waits for its node, in addition to a machine's start."""
    return 60 * capacity.wait_minutes if isinstance(capacity, FlexStart | ProvisioningFallback) else 0
