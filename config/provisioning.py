"""Provisioning models of TPU nodes: one class each, with exactly the fields that Google accepts for it."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from config.strict_model import StrictModel
from serving.hardware.regions import Provisioning

OLDEST_GKE: Mapping[str, str] = {"flex-start": "1.33.0-gke.1712000", "compute-class": "1.33.3-gke.1136000"}
"""Oldest GKE version with a kind of capacity; other kinds need none that GKE still offers.

flex-start: https://cloud.google.com/kubernetes-engine/docs/concepts/dws. compute-class: node pools for a
class without cluster-wide auto-provisioning,
https://cloud.google.com/kubernetes-engine/docs/reference/crds/computeclass.
"""

WAIT_MINUTES = 120
"""Minutes that a stack waits for flex-start or ComputeClass nodes. Assumed: no source promises a time."""

SPOT_STOP_SECONDS = 15
"""Seconds that a pod on a spot node has from Google's notice to its end. The node has 30, and the kubelet
keeps the last 15 for system pods (https://cloud.google.com/kubernetes-engine/docs/concepts/spot-vms, read in
2026-11)."""


class OnDemand(StrictModel):
    """Nodes at list price and without a time limit, when the zone has them."""

    kind: Literal["on-demand"]


class Spot(StrictModel):
    """Cheaper nodes that Google takes back with 30 seconds' notice."""

    kind: Literal["spot"]


class FlexStart(StrictModel):
    """Nodes that come when Google has some and end after `max_run_hours`: not for an always-on server.

    Only single-host TPU slices, at most seven days
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


def stop_seconds(capacity: Pool | ProvisioningFallback) -> int | None:
    """Returns the seconds from Google's notice to the end of a pod; None for nodes that Google lets drain.

    A ComputeClass has the shortest of its options, because its pods are the same on all of them.
    """
    return SPOT_STOP_SECONDS if any(isinstance(option, Spot) for option in _options(capacity)) else None


def lacking_gke(capacity: Pool | ProvisioningFallback, version: str) -> str | None:
    """Returns a clause on the capacity that needs a newer GKE than `version`; None if nothing does.

    `version` is exact, such as 1.33.3-gke.1136000, or an alias, such as 1.33, which means its newest patch.
    """
    kinds = {capacity.kind, *(option.kind for option in _options(capacity))}
    running = version_numbers(version)
    for kind, oldest in OLDEST_GKE.items():
        if kind in kinds and running < version_numbers(oldest)[: len(running)]:
            return f"{kind} needs {oldest}"
    return None


def version_numbers(version: str) -> tuple[int, ...]:
    """Returns the numbers of a GKE version in order: (1, 33, 3, 1136000) of 1.33.3-gke.1136000."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _options(capacity: Pool | ProvisioningFallback) -> tuple[Pool, ...]:
    return capacity.rungs if isinstance(capacity, ProvisioningFallback) else (capacity,)


def price_lists(capacity: Pool | ProvisioningFallback) -> tuple[Provisioning, ...]:
    """Returns the price lists that apply, in the order in which GKE tries the provisioning options."""
    # A reservation has no separate price: Google bills it on demand, minus a commitment.
    lists: list[Provisioning] = [
        "on-demand" if option.kind == "reservation" else option.kind for option in _options(capacity)
    ]
    return tuple(dict.fromkeys(lists))
