"""Rules for buckets, secrets, image repositories and keys."""

import re
from collections.abc import Iterator

from tools.fake_gcp.checks.rules.base import Case, rule
from tools.fake_gcp.checks.shape import Problem

CLASSES = (
    "STANDARD",
    "NEARLINE",
    "COLDLINE",
    "ARCHIVE",
    "MULTI_REGIONAL",
    "REGIONAL",
    "DURABLE_REDUCED_AVAILABILITY",
)
ACTIONS = ("Delete", "SetStorageClass", "AbortIncompleteMultipartUpload")
DUAL_REGIONS = ("ASIA1", "EUR4", "EUR5", "EUR7", "EUR8", "NAM4")
BUCKET = "gcp:storage/bucket:Bucket"


@rule(BUCKET)
def bucket_name(case: Case) -> Iterator[Problem]:
    """https://cloud.google.com/storage/docs/buckets#naming"""
    name = case.get("name")
    if not name:
        return
    parts = name.split(".")
    right = bool(re.fullmatch(r"[a-z0-9][a-z0-9._-]*[a-z0-9]", name))
    right = right and all(1 <= len(part) <= 63 for part in parts)
    right = right and 3 <= len(name) <= (222 if len(parts) > 1 else 63)
    if not right or re.fullmatch(r"\d+(\.\d+){3}", name):
        yield (
            "name",
            f"The bucket name {name!r} must be 3 to 63 lower-case letters, digits, '-', '_' or '.', and "
            "begin and end with a letter or digit.",
        )
    if name.startswith("goog") or "google" in name or "g00gle" in name:
        yield "name", f"The bucket name {name!r} may not begin with goog nor contain google."


@rule(BUCKET)
def bucket_fields(case: Case) -> Iterator[Problem]:
    """https://cloud.google.com/storage/docs: storage-classes, public-access-prevention, soft-delete,
    hns-overview, turbo-replication."""
    name = case.get("storageClass")
    if name and name not in CLASSES:
        yield "storageClass", f"{name!r} is no storage class: {', '.join(CLASSES[:4])}."
    value = case.get("publicAccessPrevention")
    if value and value not in ("inherited", "enforced"):
        yield "publicAccessPrevention", f"publicAccessPrevention is inherited or enforced, not {value!r}."
    seconds = case.get("softDeletePolicy.retentionDurationSeconds")
    if seconds is not None and seconds != 0 and not 604800 <= seconds <= 7776000:
        yield (
            "softDeletePolicy.retentionDurationSeconds",
            f"Soft delete keeps objects 0 or 604800 to 7776000 seconds (7 to 90 days), not {seconds}.",
        )
    if case.get("hierarchicalNamespace.enabled"):
        if not case.get("uniformBucketLevelAccess"):
            yield "hierarchicalNamespace", "A hierarchical namespace needs uniformBucketLevelAccess."
        if case.get("versioning.enabled"):
            yield "versioning", "A bucket with a hierarchical namespace cannot have object versioning."
    dual = case.get("location", "").upper() in DUAL_REGIONS or case.given("customPlacementConfig")
    if case.get("rpo") == "ASYNC_TURBO" and not dual:
        yield "rpo", "ASYNC_TURBO is for dual-regions only."


@rule(BUCKET)
def lifecycle(case: Case) -> Iterator[Problem]:
    """https://cloud.google.com/storage/docs/lifecycle"""
    rules = case.get("lifecycleRules", [])
    if len(rules) > 100:
        yield "lifecycleRules", f"A bucket has at most 100 lifecycle rules, and these are {len(rules)}."
    for item in rules:
        action = item.get("action") or {}
        name, target = action.get("type"), action.get("storageClass")
        if name not in ACTIONS:
            yield "lifecycleRules.action.type", f"A lifecycle action is {', '.join(ACTIONS)}, not {name!r}."
        if name == "SetStorageClass" and target not in CLASSES:
            yield (
                "lifecycleRules.action.storageClass",
                f"SetStorageClass needs a storage class, not {target!r}.",
            )
        if name != "SetStorageClass" and target:
            yield "lifecycleRules.action.storageClass", f"The action {name} takes no storage class."
        condition = item.get("condition") or {}
        if not any(value not in (None, [], "") for value in condition.values()):
            yield "lifecycleRules.condition", "A lifecycle rule needs at least one condition."
        if condition.get("withState", "ANY") not in ("LIVE", "ARCHIVED", "ANY"):
            yield "lifecycleRules.condition.withState", "withState is LIVE, ARCHIVED or ANY."


@rule("gcp:secretmanager/secret:Secret")
def secret(case: Case) -> Iterator[Problem]:
    """https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets"""
    name = case.get("secretId")
    if name and not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", name):
        yield "secretId", f"The secret id {name!r} must be 1 to 255 letters, digits, '-' or '_'."
    replication = case.get("replication", {})
    if isinstance(replication, dict) and len({"auto", "userManaged"} & set(replication)) != 1:
        yield "replication", "A secret's replication is either auto or userManaged."
    if len(case.given("ttl", "expireTime")) == 2:
        yield "ttl", "A secret takes ttl or expireTime, not both."


@rule("gcp:artifactregistry/repository:Repository")
def repository(case: Case) -> Iterator[Problem]:
    """https://cloud.google.com/artifact-registry/docs/reference/rest/v1/projects.locations.repositories"""
    name, mode = case.get("repositoryId"), case.get("mode", "STANDARD_REPOSITORY")
    if name and not re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", name):
        yield (
            "repositoryId",
            f"The repository id {name!r} must be 1 to 63 lower-case letters, digits or hyphens, begin with a "
            "letter and not end with a hyphen.",
        )
    for own, needed in (
        ("REMOTE_REPOSITORY", "remoteRepositoryConfig"),
        ("VIRTUAL_REPOSITORY", "virtualRepositoryConfig"),
    ):
        if (mode == own) != bool(case.given(needed)):
            yield needed, f"{needed} and mode {own} go together; the mode is {mode}."
    if case.given("dockerConfig") and case.get("format") != "DOCKER":
        yield (
            "dockerConfig",
            f"dockerConfig is for format DOCKER only, and the format is {case.get('format')}.",
        )


@rule("gcp:kms/keyRing:KeyRing", "gcp:kms/cryptoKey:CryptoKey")
def key(case: Case) -> Iterator[Problem]:
    """https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys"""
    name = case.get("name")
    if name and not re.fullmatch(r"[A-Za-z0-9_-]{1,63}", name):
        yield "name", f"The name {name!r} must be 1 to 63 letters, digits, '-' or '_'."
    period = case.get("rotationPeriod")
    if period and re.fullmatch(r"\d+(\.\d+)?s", period):
        if float(period[:-1]) < 86400:
            yield "rotationPeriod", f"A key rotates at most once a day (86400s), not every {period}."
        if case.get("purpose", "ENCRYPT_DECRYPT") != "ENCRYPT_DECRYPT":
            yield "rotationPeriod", "Only ENCRYPT_DECRYPT keys rotate by themselves."
