"""All rules by name. They are pure functions of resources, so tests need neither Pulumi nor a cloud."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from policies import gcp, kubernetes, releases, tpu_vm
from policies.resource import NotKnownError, Resource


@dataclass(frozen=True)
class Rule:
    """A rule on single resources."""

    name: str
    promise: str
    """Sentence that is true when the rule reports nothing."""
    check: Callable[[Resource], Iterator[str]]
    """Yields the predicate of one sentence, without its period, for each violation."""

    def violations(self, resource: Resource) -> Iterator[str]:
        """Yields what `check` finds before it would judge a value that is not known yet."""
        with contextlib.suppress(NotKnownError):
            yield from self.check(resource)


@dataclass(frozen=True)
class StackRule:
    """A rule on all resources of a stack."""

    name: str
    promise: str
    """Sentence that is true when the rule reports nothing."""
    check: Callable[[Sequence[Resource]], Iterator[tuple[Resource, str]]]
    """Yields the resource to change and the predicate of one sentence for each violation."""

    def violations(self, resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
        """Yields what `check` finds before it would judge a value that is not known yet."""
        with contextlib.suppress(NotKnownError):
            yield from self.check(resources)


RULES = (
    Rule("image-by-digest", "Every image is named by its digest.", kubernetes.image_by_digest),
    Rule("no-secret-value", "No input holds the value of a secret.", kubernetes.no_secret_value),
    Rule(
        "whole-slices",
        "Requested chips, chips of the slice and the tensor-parallel size are equal.",
        kubernetes.whole_slices,
    ),
    Rule("startup-budget", "A startup probe allows the longest boot.", kubernetes.startup_budget),
    Rule("protected-data", "No single command deletes data.", gcp.protected_data),
    Rule("no-placement-policy", "Single-host slices have no placement policy.", gcp.no_placement_policy),
    Rule("explicit-reservation", "Each pool states which reservation it uses.", gcp.explicit_reservation),
    Rule(
        "pool-name-states-model",
        "A TPU pool's name contains its provisioning model.",
        gcp.pool_name_states_model,
    ),
    Rule("least-roles", "No account has more roles than it needs.", gcp.least_roles),
    Rule("private-bucket", "No bucket can be made public.", gcp.private_bucket),
    Rule("no-public-address", "No machine has a public address.", tpu_vm.no_public_address),
    Rule("room-for-the-weights", "Weights and image fit on the disks.", tpu_vm.room_for_the_weights),
    Rule("accepted-servers", "Only accepted servers get traffic.", tpu_vm.accepted_servers),
    Rule("labels", "Every resource that accepts labels has them.", gcp.labels),
)

STACK_RULES = (
    StackRule("public-needs-a-key", "Public servers require an API key.", kubernetes.public_needs_a_key),
    StackRule(
        "guarded-servers",
        "Servers have a disruption budget and a network policy.",
        kubernetes.guarded_servers,
    ),
    StackRule("healed-groups", "A group replaces lost machines, and no booting ones.", tpu_vm.healed_groups),
    StackRule(
        "protected-machines", "A stack protects all clusters and pools or none.", gcp.protected_machines
    ),
    StackRule(
        "accepted-release",
        "A protected stack runs a release that a server has accepted.",
        releases.accepted_release,
    ),
    StackRule("one-region", "All resources of a stack are in one region.", gcp.one_region),
)
