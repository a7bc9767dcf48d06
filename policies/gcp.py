"""Rules about what is made in Google Cloud. Each yields a sentence for each thing that is wrong."""

from collections.abc import Iterator, Sequence

from policies.resource import Resource, Unknown, short
from serving.hardware.accelerators import ACCELERATORS

BUCKET = "gcp:storage/bucket:Bucket"
CLUSTER = "gcp:container/cluster:Cluster"
POOL = "gcp:container/nodePool:NodePool"
SECRET = "gcp:secretmanager/secret:Secret"

DATA = (BUCKET, SECRET)
"""Kinds whose content takes hours of downloads to make again, or is known only to its owners."""

CAPACITY = (CLUSTER, POOL)
"""Kinds that hold machines and no data: `up` makes them again."""

TPU_MACHINES = frozenset(row.machine_type for row in ACCELERATORS.values() if row.machine_type is not None)
"""Hosts of whole slices."""

# What a role on a whole project must not give here. Storage and secrets are granted on the one bucket, the
# one secret.
TOO_WIDE = ("roles/owner", "roles/editor")
TOO_WIDE_ON_PROJECT = ("roles/storage.", "roles/secretmanager.", "roles/iam.serviceAccount")
EVERYBODY = ("allUsers", "allAuthenticatedUsers")


def protected_data(resource: Resource) -> Iterator[str]:
    """Yields what could delete data by one command, in every stack.

    The kind of a resource decides, whatever its stack is called: a foundation of another name has the same
    weights and secrets. So `target.protect: false` is a violation here. To take a foundation down on purpose,
    leave --policy-pack out.
    """
    if resource.kind not in DATA:
        return
    if not resource.protect:
        yield "is not protected: `pulumi destroy` would delete it; set target.protect to true"
    if resource.kind == BUCKET and resource.at("forceDestroy"):
        yield "has forceDestroy: deleting it deletes the weights; leave forceDestroy out"


def protected_capacity(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    """Yields clusters and pools that lack the protection that their stack has elsewhere.

    They hold no data, so whether they are protected is the stack's own choice (`target.protect`, false for
    development) and not a matter of its name. The choice holds for the whole stack: a single pool without it
    would be deleted where the others are refused. A cluster carries it twice, as `protect` for Pulumi and as
    `deletionProtection` for Google.
    """
    held = [resource for resource in resources if resource.kind in CAPACITY]
    chosen = [each for each in held if each.protect or each.at("deletionProtection") is True]
    if not chosen:
        return
    other = f"{short(chosen[0].kind)} {chosen[0].name} of the same stack is protected"
    for resource in held:
        if not resource.protect:
            yield resource, f"is not protected, but {other}; set target.protect to true, or to false for all"
        if resource.kind == CLUSTER and resource.at("deletionProtection") is not True:
            yield resource, f"has no deletionProtection, but {other}; set target.protect to true"


def no_placement_policy(resource: Resource) -> Iterator[str]:
    """GKE refuses a compact placement for slices of one host (github.com/AI-Hypercomputer/xpk, issue 825)."""
    if resource.kind == POOL and _is_tpu(resource) and resource.at("placementPolicy") is not None:
        yield "has a placementPolicy, which GKE refuses for slices of one host; leave it out"


def explicit_reservation(resource: Resource) -> Iterator[str]:
    """Unset, a node takes whatever reservation fits, or a wanted one is not taken."""
    if resource.kind != POOL:
        return
    kind = resource.at("nodeConfig.reservationAffinity.consumeReservationType")
    if kind not in ("NO_RESERVATION", "SPECIFIC_RESERVATION") and not isinstance(kind, Unknown):
        yield "does not say which reservation it uses; set NO_RESERVATION, or SPECIFIC_RESERVATION with one"
    if kind == "SPECIFIC_RESERVATION" and not resource.each("nodeConfig.reservationAffinity.values"):
        yield "wants a specific reservation and names none; name it"
    if kind == "SPECIFIC_RESERVATION" and (
        resource.at("nodeConfig.spot") or resource.at("nodeConfig.flexStart")
    ):
        yield "mixes a reservation with spot or flex-start, of which a node can be one; choose"


def pool_tells_its_shape(resource: Resource) -> Iterator[str]:
    """Google cannot change machine or purchase of a pool: a name that tells them makes a new pool instead of
    a replacement that takes the nodes away first."""
    if resource.kind != POOL or not _is_tpu(resource):
        return
    name, way = resource.at("name"), _way(resource)
    if not isinstance(name, Unknown) and (not name or way not in name):
        yield f"is called {name} and buys {way}; put {way} into its name: another way is another pool"
    if "initialNodeCount" not in resource.ignored:
        yield "does not ignore initialNodeCount, a change of which replaces the pool; ignore it"


def least_roles(resource: Resource) -> Iterator[str]:
    """No basic roles, nothing project-wide that belongs on one resource, nobody unknown."""
    role = resource.at("role")
    if not isinstance(role, str) or isinstance(role, Unknown):
        return
    if role in TOO_WIDE:
        yield f"grants {role}, which may do nearly everything; grant the few roles that are needed"
    if resource.kind.startswith("gcp:projects/") and role.startswith(TOO_WIDE_ON_PROJECT):
        yield f"grants {role} on the whole project; grant it on the one resource"
    for member in (resource.at("member"), *resource.each("members")):
        if member in EVERYBODY:
            yield f"grants {role} to {member}, which is everybody; name who needs it"


def private_bucket(resource: Resource) -> Iterator[str]:
    """Nothing in a bucket can be made public, not by a mistake in one object either."""
    if resource.kind != BUCKET:
        return
    if resource.at("publicAccessPrevention") != "enforced":
        yield "can be made public; set publicAccessPrevention to enforced"
    if resource.at("uniformBucketLevelAccess") is not True:
        yield "lets single objects have their own access; set uniformBucketLevelAccess to true"


def labels(resource: Resource) -> Iterator[str]:
    """Every resource carries labels for cost and ownership."""
    if resource.kind.startswith("gcp:") and not (resource.provider or {}).get("defaultLabels"):
        yield "gets no labels, because its provider has no defaultLabels; set them on the provider"
    # The provider's labels do not reach the virtual machines of a pool.
    if resource.kind == POOL and not resource.at("nodeConfig.resourceLabels"):
        yield "leaves its virtual machines without labels; set nodeConfig.resourceLabels"


def one_region(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    """Weights read across regions are slow and cost: bucket, registry, network and slices are together."""
    first: tuple[str, Resource] | None = None
    for resource in resources:
        for region in _regions(resource):
            if first is None:
                first = region, resource
            elif region != first[0]:
                other = f"{short(first[1].kind)} {first[1].name} in {first[0]}"
                yield resource, f"is in {region}, and {other}; choose one region"


def _regions(resource: Resource) -> Iterator[str]:
    if not resource.kind.startswith("gcp:"):
        return
    places = [resource.at("location"), resource.at("region"), *resource.each("nodeLocations")]
    for place in places:
        if isinstance(place, str) and not isinstance(place, Unknown) and place.lower() != "global":
            words = place.lower().split("-")
            yield "-".join(words[:2])


def _is_tpu(resource: Resource) -> bool:
    return resource.at("nodeConfig.machineType") in TPU_MACHINES


def _way(resource: Resource) -> str:
    """How a pool buys its nodes."""
    if resource.at("nodeConfig.spot"):
        return "spot"
    if resource.at("nodeConfig.flexStart"):
        return "flex-start"
    kind = resource.at("nodeConfig.reservationAffinity.consumeReservationType")
    return "reservation" if kind == "SPECIFIC_RESERVATION" else "on-demand"
