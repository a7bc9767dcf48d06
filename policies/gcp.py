"""Rules on resources of Google Cloud. Each rule yields one sentence for each violation."""

from collections.abc import Iterator, Sequence

from policies.resource import Resource, Unknown, short
from serving.hardware.accelerators import ACCELERATORS

BUCKET = "gcp:storage/bucket:Bucket"
CLUSTER = "gcp:container/cluster:Cluster"
POOL = "gcp:container/nodePool:NodePool"
SECRET = "gcp:secretmanager/secret:Secret"

DATA = (BUCKET, SECRET)
"""Kinds with content that takes hours to download again, or that only its owners know."""

MACHINES = (CLUSTER, POOL)
"""Kinds that hold machines and no data, so that `pulumi up` can create them again."""

TPU_MACHINES = frozenset(row.machine_type for row in ACCELERATORS.values() if row.machine_type is not None)
"""Machine types that hold a whole slice."""

TOO_WIDE = ("roles/owner", "roles/editor")
"""Roles that may do nearly everything in a project."""
TOO_WIDE_ON_PROJECT = ("roles/storage.", "roles/secretmanager.", "roles/iam.serviceAccount")
"""Prefixes of roles that must be granted on one bucket, secret or account, and not on the project."""
EVERYBODY = ("allUsers", "allAuthenticatedUsers")


def protected_data(resource: Resource) -> Iterator[str]:
    """Yields a sentence for data that one command could delete, in every stack.

    Only the kind of a resource decides, because a foundation with a different stack name has the same weights
    and secrets. So `target.protect: false` is a violation here. To destroy a foundation on purpose, leave
    --policy-pack out.
    """
    if resource.kind not in DATA:
        return
    if not resource.protect:
        yield "is not protected: `pulumi destroy` would delete it; set target.protect to true"
    if resource.kind == BUCKET and resource.at("forceDestroy"):
        yield "has forceDestroy: deleting it deletes the weights; leave forceDestroy out"


def protected_machines(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    """Yields clusters and pools without the protection that others of their stack have.

    They hold no data, so the stack chooses the protection (`target.protect`, false for development). The
    choice applies to the whole stack: Pulumi would delete a single unprotected pool and refuse the others. A
    cluster needs it twice, as `protect` for Pulumi and as `deletionProtection` for Google.
    """
    machines = [resource for resource in resources if resource.kind in MACHINES]
    protected = [each for each in machines if each.protect or each.true("deletionProtection")]
    if not protected:
        return
    other = f"{short(protected[0].kind)} {protected[0].name} of the same stack is protected"
    for resource in machines:
        if not resource.protect:
            yield resource, f"is not protected, but {other}; set target.protect to true, or to false for all"
        if resource.kind == CLUSTER and not resource.true("deletionProtection"):
            yield resource, f"has no deletionProtection, but {other}; set target.protect to true"


def no_placement_policy(resource: Resource) -> Iterator[str]:
    """Yields a sentence for a TPU pool with a placement policy.

    GKE refuses a compact placement of single-host slices (github.com/AI-Hypercomputer/xpk, issue 825).
    """
    if resource.kind == POOL and _is_tpu(resource) and resource.at("placementPolicy") is not None:
        yield "has a placementPolicy, which GKE refuses for single-host slices; leave it out"


def explicit_reservation(resource: Resource) -> Iterator[str]:
    """Yields a sentence for a pool without an explicit reservation affinity.

    If it is unset, a node uses any reservation that fits, or does not use the intended one.
    """
    if resource.kind != POOL:
        return
    kind = resource.at("nodeConfig.reservationAffinity.consumeReservationType")
    if kind not in ("NO_RESERVATION", "SPECIFIC_RESERVATION"):
        yield "does not say which reservation it uses; set NO_RESERVATION, or SPECIFIC_RESERVATION with one"
    if kind == "SPECIFIC_RESERVATION" and not resource.each("nodeConfig.reservationAffinity.values"):
        yield "uses a specific reservation and names none; name it"
    if kind == "SPECIFIC_RESERVATION" and (
        resource.at("nodeConfig.spot") or resource.at("nodeConfig.flexStart")
    ):
        yield "mixes a reservation with spot or flex-start, but a node has one provisioning model; choose one"


def pool_name_states_model(resource: Resource) -> Iterator[str]:
    """Yields a sentence for a TPU pool that a change would replace in the wrong order.

    Google cannot change a pool's provisioning model. With the model in the name, a change creates a new pool
    before the old one is deleted. Otherwise Pulumi deletes the nodes first.
    """
    if resource.kind != POOL or not _is_tpu(resource):
        return
    name, model = resource.at("name"), _provisioning_model(resource)
    if not isinstance(name, Unknown) and (not name or model not in name):
        yield f"is named {name} and its provisioning model is {model}; put {model} into its name"
    if "initialNodeCount" not in resource.ignored:
        yield "does not ignore initialNodeCount, a change of which replaces the pool; ignore it"


def least_roles(resource: Resource) -> Iterator[str]:
    """Yields a sentence for a basic role, for a project-wide role that belongs on one resource, and for a
    role that everybody gets."""
    role = resource.at("role")
    if not isinstance(role, str):
        return
    if role in TOO_WIDE:
        yield f"grants {role}, which allows nearly everything; grant only the roles that are needed"
    if resource.kind.startswith("gcp:projects/") and role.startswith(TOO_WIDE_ON_PROJECT):
        yield f"grants {role} on the whole project; grant it on the one resource"
    for member in (resource.at("member"), *resource.each("members")):
        if member in EVERYBODY:
            yield f"grants {role} to {member}, which is everybody; name who needs it"


def private_bucket(resource: Resource) -> Iterator[str]:
    """Yields a sentence for a bucket that could be made public, as a whole or by the ACL of one object."""
    if resource.kind != BUCKET:
        return
    if resource.at("publicAccessPrevention") != "enforced":
        yield "can be made public; set publicAccessPrevention to enforced"
    if not resource.true("uniformBucketLevelAccess"):
        yield "lets single objects have separate ACLs; set uniformBucketLevelAccess to true"


def labels(resource: Resource) -> Iterator[str]:
    """Yields a sentence for a resource without labels. Every resource carries cost and ownership labels."""
    if resource.kind.startswith("gcp:") and not (resource.provider or {}).get("defaultLabels"):
        yield "gets no labels, because its provider has no defaultLabels; set them on the provider"
    # The provider's labels do not reach the virtual machines of a pool.
    if resource.kind == POOL and not resource.at("nodeConfig.resourceLabels"):
        yield "leaves its virtual machines without labels; set nodeConfig.resourceLabels"


def one_region(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    """Yields resources outside of the first resource's region. Reading weights across regions is slow and is
    billed, so bucket, registry, network and slices have to be in one region."""
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
        if isinstance(place, str) and place.lower() != "global":
            words = place.lower().split("-")
            yield "-".join(words[:2])


def _is_tpu(resource: Resource) -> bool:
    return resource.at("nodeConfig.machineType") in TPU_MACHINES


def _provisioning_model(resource: Resource) -> str:
    if resource.at("nodeConfig.spot"):
        return "spot"
    if resource.at("nodeConfig.flexStart"):
        return "flex-start"
    kind = resource.at("nodeConfig.reservationAffinity.consumeReservationType")
    return "reservation" if kind == "SPECIFIC_RESERVATION" else "on-demand"
