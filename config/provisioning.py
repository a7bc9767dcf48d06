"""How TPU nodes are bought: one model a way, each with exactly the fields that Google accepts for it."""

from typing import Annotated, Literal

from pydantic import Field

from config.strict_model import StrictModel

WAIT_MINUTES = 120
"""Assumed: what a stack waits for nodes that come when Google has some. No source promises a time."""


class OnDemand(StrictModel):
    """Nodes at list price, as long as you like, when the zone has them."""

    kind: Literal["on-demand"]


class Spot(StrictModel):
    """Cheaper nodes that Google takes back with 30 seconds' notice."""

    kind: Literal["spot"]


class FlexStart(StrictModel):
    """Nodes that come when there are some and go after `max_run_hours`: not for an always-on server.

    Single-host TPU slices alone, at most seven days, GKE 1.33.0-gke.1712000 or later
    (https://cloud.google.com/kubernetes-engine/docs/concepts/dws).
    """

    kind: Literal["flex-start"]
    max_run_hours: int = Field(default=168, ge=1, le=168, description="Life of a node.")
    wait_minutes: int = Field(default=WAIT_MINUTES, ge=1, description="How long a deployment waits for one.")


class Reservation(StrictModel):
    """Nodes that you have reserved; nothing else is used when they are taken."""

    kind: Literal["reservation"]
    name: str = Field(min_length=1, description="The reservation's name.")
    project: str | None = Field(default=None, min_length=1, description="Its project, when it is shared.")


ProvisioningOption = Annotated[OnDemand | Spot | FlexStart | Reservation, Field(discriminator="kind")]


class ProvisioningFallback(StrictModel):
    """A ComputeClass: the first of `rungs` that Google can give now makes the node."""

    kind: Literal["compute-class"]
    rungs: tuple[ProvisioningOption, ...] = Field(
        min_length=2, strict=False, description="Ways to buy, best first."
    )
    wait_minutes: int = Field(default=WAIT_MINUTES, ge=1, description="How long a deployment waits for one.")


Pool = OnDemand | Spot | FlexStart | Reservation
"""What a node pool of our own can be."""

Capacity = Annotated[
    OnDemand | Spot | FlexStart | Reservation | ProvisioningFallback, Field(discriminator="kind")
]


def node_wait_seconds(capacity: Pool | ProvisioningFallback) -> int:
    """What a rollout waits for its node beyond the time in which a machine starts."""
    return 60 * capacity.wait_minutes if isinstance(capacity, FlexStart | ProvisioningFallback) else 0
