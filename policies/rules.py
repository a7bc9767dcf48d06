"""All rules by name: pure functions over resources, so that a test needs neither engine nor cloud."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from policies import cloud, machines, workload
from policies.resource import Resource


@dataclass(frozen=True)
class Rule:
    """A rule over single resources. `promise` is what holds when it finds nothing."""

    name: str
    promise: str
    check: Callable[[Resource], Iterator[str]]


@dataclass(frozen=True)
class StackRule:
    """A rule over a stack's resources together; it names the one to change."""

    name: str
    promise: str
    check: Callable[[Sequence[Resource]], Iterator[tuple[Resource, str]]]


RULES = (
    Rule("image-by-digest", "Every image is named by its digest.", workload.image_by_digest),
    Rule("no-secret-value", "No input holds the value of a secret.", workload.no_secret_value),
    Rule(
        "whole-slices",
        "Chips asked for, of the slice and in tensor parallel agree.",
        workload.whole_slices,
    ),
    Rule("startup-budget", "A boot has the time that it takes.", workload.startup_budget),
    Rule("protected-data", "Data is not deleted by one command.", cloud.protected_data),
    Rule("no-placement-policy", "Slices of one host have no placement policy.", cloud.no_placement_policy),
    Rule("explicit-reservation", "Each pool says which reservation it uses.", cloud.explicit_reservation),
    Rule("pool-tells-its-shape", "Another shape is another pool.", cloud.pool_tells_its_shape),
    Rule("least-roles", "Nobody may do more than they need.", cloud.least_roles),
    Rule("private-bucket", "No bucket can be made public.", cloud.private_bucket),
    Rule("no-public-address", "No machine has a public address.", machines.no_public_address),
    Rule("room-for-the-weights", "Weights and image fit on the disks.", machines.room_for_the_weights),
    Rule("labels", "Everything that takes labels has them.", cloud.labels),
)

STACK_RULES = (
    StackRule("public-needs-a-key", "What is public asks for a key.", workload.public_needs_a_key),
    StackRule(
        "guarded-servers", "Servers have disruption budget and network policy.", workload.guarded_servers
    ),
    StackRule("healed-groups", "A group replaces dead machines, not booting ones.", machines.healed_groups),
    StackRule("protected-capacity", "A protected stack has no gap.", cloud.protected_capacity),
    StackRule("one-region", "All of a stack is in one region.", cloud.one_region),
)
