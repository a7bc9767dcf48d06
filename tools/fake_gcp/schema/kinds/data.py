"""Buckets, secrets, image repositories, keys."""

from typing import Any

from tools.fake_gcp.schema.kind import Kind, add

BUCKET = "gcp:storage/bucket:Bucket"
SECRET = "gcp:secretmanager/secret:Secret"
REPOSITORY = "gcp:artifactregistry/repository:Repository"
KEY_RING = "gcp:kms/keyRing:KeyRing"
KEY = "gcp:kms/cryptoKey:CryptoKey"


def live(state: str) -> dict[str, Any]:
    """Returns the provider's `withState` as the API's `isLive`."""
    return {"LIVE": {"isLive": True}, "ARCHIVED": {"isLive": False}, "ANY": {}}.get(
        state, {"isLive": f"withState {state}"}
    )


def cleanup_policies(items: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns cleanup policies as the map by id that the API uses."""
    return {"cleanupPolicies": {item["id"]: item for item in items}}


add(
    Kind(
        BUCKET,
        "storage.buckets.insert",
        "{name}",
        rename={
            "location": "location",
            "enableObjectRetention": "",
            "forceDestroy": "",
            "publicAccessPrevention": "iamConfiguration.publicAccessPrevention",
            "requesterPays": "billing.requesterPays",
            "uniformBucketLevelAccess": "iamConfiguration.uniformBucketLevelAccess.enabled",
            "lifecycleRules": "lifecycle.rule",
            "lifecycleRules.condition.matchesPrefixes": "matchesPrefix",
            "lifecycleRules.condition.matchesStorageClasses": "matchesStorageClass",
            "lifecycleRules.condition.matchesSuffixes": "matchesSuffix",
            "lifecycleRules.condition.withState": live,
            "cors.methods": "method",
            "cors.origins": "origin",
            "cors.responseHeaders": "responseHeader",
        },
        computed={
            "selfLink": "https://www.googleapis.com/storage/v1/b/{name}",
            "url": "gs://{name}",
            "projectNumber": "{number}",
            "timeCreated": "{time}",
            "updated": "{time}",
        },
    ),
    Kind(
        "gcp:storage/bucketObject:BucketObject",
        "storage.objects.insert",
        "{bucket}-{name}",
        rename={"bucket": "", "content": "", "source": "", "detectMd5hash": "", "sourceMd5hash": ""},
        refs={"bucket": BUCKET},
        computed={
            "selfLink": "https://www.googleapis.com/storage/v1/b/{bucket}/o/{name}",
            "outputName": "{name}",
        },
    ),
    Kind(
        SECRET,
        "secretmanager.projects.secrets.create",
        "projects/{project}/secrets/{secretId}",
        rename={"secretId": "", "deletionProtection": "", "replication.auto": "automatic"},
        url={"parent": "projects/{project}"},
        computed={"name": "projects/{number}/secrets/{secretId}", "createTime": "{time}"},
    ),
    Kind(
        REPOSITORY,
        "artifactregistry.projects.locations.repositories.create",
        "projects/{project}/locations/{location}/repositories/{repositoryId}",
        rename={"repositoryId": "", "cleanupPolicies": cleanup_policies},
        url={"parent": "projects/{project}/locations/{location}"},
        computed={
            "name": "{repositoryId}",
            "location": "{location}",
            "registryUri": "{location}-docker.pkg.dev/{project}/{repositoryId}",
            "createTime": "{time}",
            "updateTime": "{time}",
        },
    ),
    Kind(
        KEY_RING,
        "cloudkms.projects.locations.keyRings.create",
        "projects/{project}/locations/{location}/keyRings/{name}",
        rename={"name": ""},
        url={"parent": "projects/{project}/locations/{location}"},
        # Key rings and keys cannot be deleted: https://cloud.google.com/kms/docs/resource-hierarchy
        outlives=True,
    ),
    Kind(
        KEY,
        "cloudkms.projects.locations.keyRings.cryptoKeys.create",
        "{keyRing}/cryptoKeys/{name}",
        rename={"keyRing": "", "name": "", "skipInitialVersionCreation": ""},
        url={"parent": "{keyRing}"},
        outlives=True,
    ),
)
