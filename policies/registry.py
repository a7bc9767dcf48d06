"""All rules by name: pure functions over resources, so that a test needs neither engine nor cloud."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from policies import gcp, kubernetes, tpu_vm
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
    Rule("image-by-digest", "Every image is named by its digest.", kubernetes.image_by_digest),
    Rule("no-secret-value", "No input holds the value of a secret.", kubernetes.no_secret_value),
    Rule(
        "whole-slices",
        "Chips asked for, of the slice and in tensor parallel agree.",
        kubernetes.whole_slices,
    ),
    Rule("startup-budget", "A boot has the time that it takes.", kubernetes.startup_budget),
    Rule("protected-data", "Data is not deleted by one command.", gcp.protected_data),
    Rule("no-placement-policy", "Slices of one host have no placement policy.", gcp.no_placement_policy),
    Rule("explicit-reservation", "Each pool says which reservation it uses.", gcp.explicit_reservation),
    Rule("pool-tells-its-shape", "Another shape is another pool.", gcp.pool_tells_its_shape),
    Rule("least-roles", "Nobody may do more than they need.", gcp.least_roles),
    Rule("private-bucket", "No bucket can be made public.", gcp.private_bucket),
    Rule("no-public-address", "No machine has a public address.", tpu_vm.no_public_address),
    Rule("room-for-the-weights", "Weights and image fit on the disks.", tpu_vm.room_for_the_weights),
    Rule("labels", "Everything that takes labels has them.", gcp.labels),
)

STACK_RULES = (
    StackRule("public-needs-a-key", "What is public asks for a key.", kubernetes.public_needs_a_key),
    StackRule(
        "guarded-servers", "Servers have disruption budget and network policy.", kubernetes.guarded_servers
    ),
    StackRule("healed-groups", "A group replaces dead machines, not booting ones.", tpu_vm.healed_groups),
    StackRule("protected-capacity", "A protected stack has no gap.", gcp.protected_capacity),
    StackRule("one-region", "All of a stack is in one region.", gcp.one_region),
)
