"""Enabled services, service accounts, roles, workload identity pools, and grants on all of them."""

from tools.fake_gcp.schema.kind import Kind, add
from tools.fake_gcp.schema.kinds.data import BUCKET, REPOSITORY, SECRET

ACCOUNT = "gcp:serviceaccount/account:Account"
POOL = "gcp:iam/workloadIdentityPool:WorkloadIdentityPool"
EMAIL = "{accountId}@{project}.iam.gserviceaccount.com"


def grant(
    token: str,
    method: str,
    resource: str,
    key: str,
    *,
    policy: str = "policy.",
    parameter: str = "resource",
    **more,
) -> Kind:
    """Grant of one role to one member: a binding in the policy of `resource`.

    `key` is the beginning of the grant's own id; the API replaces the whole policy, so nothing of a grant can
    be changed in place.
    """
    refs: dict[str, str] = more.pop("refs", {})
    return Kind(
        token,
        method,
        key + "/{role}/{member}",
        rename={
            "role": f"/{policy}bindings[].role",
            "member": f"/{policy}bindings[].members[]",
            "condition": f"/{policy}bindings[].condition",
            **{name: "" for name in more.pop("own", ())},
        },
        url={parameter: resource},
        refs=refs,
        computed={"etag": "BwY="},
    )


add(
    Kind(
        "gcp:projects/service:Service",
        "serviceusage.services.enable",
        "{project}/{service}",
        rename={
            "service": "",
            "disableDependentServices": "",
            "disableOnDestroy": "",
            "checkIfServiceHasUsageOnDestroy": "",
        },
        url={"name": "projects/{project}/services/{service}"},
    ),
    Kind(
        ACCOUNT,
        "iam.projects.serviceAccounts.create",
        f"projects/{{project}}/serviceAccounts/{EMAIL}",
        rename={
            "createIgnoreAlreadyExists": "",
            "disabled": "",
            "description": "serviceAccount.description",
            "displayName": "serviceAccount.displayName",
        },
        url={"name": "projects/{project}"},
        computed={
            "email": EMAIL,
            "member": f"serviceAccount:{EMAIL}",
            "name": f"projects/{{project}}/serviceAccounts/{EMAIL}",
            "uniqueId": "{serial}",
        },
        # magic-modules, resource_google_service_account.go: a CustomizeDiff fills both in.
        known=("email", "member"),
    ),
    Kind(
        "gcp:projects/iAMCustomRole:IAMCustomRole",
        "iam.projects.roles.create",
        "projects/{project}/roles/{roleId}",
        rename={
            "description": "role.description",
            "permissions": "role.includedPermissions",
            "stage": "role.stage",
            "title": "role.title",
        },
        url={"parent": "projects/{project}"},
        computed={"name": "projects/{project}/roles/{roleId}", "deleted": False},
    ),
    Kind(
        POOL,
        "iam.projects.locations.workloadIdentityPools.create",
        "projects/{project}/locations/global/workloadIdentityPools/{workloadIdentityPoolId}",
        rename={"workloadIdentityPoolId": ""},
        url={"parent": "projects/{project}/locations/global"},
        computed={
            "name": "projects/{number}/locations/global/workloadIdentityPools/{workloadIdentityPoolId}",
            "state": "ACTIVE",
        },
        # A deleted pool and its name stay for 30 days (documentation of the method
        # iam.projects.locations.workloadIdentityPools.delete); the same holds for its providers.
        outlives=True,
    ),
    Kind(
        "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider",
        "iam.projects.locations.workloadIdentityPools.providers.create",
        "projects/{project}/locations/global/workloadIdentityPools/{workloadIdentityPoolId}"
        "/providers/{workloadIdentityPoolProviderId}",
        rename={"workloadIdentityPoolId": "", "workloadIdentityPoolProviderId": ""},
        url={"parent": "projects/{project}/locations/global/workloadIdentityPools/{workloadIdentityPoolId}"},
        refs={"workloadIdentityPoolId": POOL},
        computed={
            "name": "projects/{number}/locations/global/workloadIdentityPools/{workloadIdentityPoolId}"
            "/providers/{workloadIdentityPoolProviderId}",
            "state": "ACTIVE",
        },
        outlives=True,
    ),
    grant(
        "gcp:projects/iAMMember:IAMMember",
        "cloudresourcemanager.projects.setIamPolicy",
        "projects/{project}",
        "{project}",
    ),
    grant(
        "gcp:serviceaccount/iAMMember:IAMMember",
        "iam.projects.serviceAccounts.setIamPolicy",
        "{serviceAccountId}",
        "{serviceAccountId}",
        own=("serviceAccountId",),
    ),
    grant(
        "gcp:storage/bucketIAMMember:BucketIAMMember",
        "storage.buckets.setIamPolicy",
        "{bucket}",
        "b/{bucket}",
        policy="",
        parameter="bucket",
        own=("bucket",),
        refs={"bucket": BUCKET},
    ),
    grant(
        "gcp:secretmanager/secretIamMember:SecretIamMember",
        "secretmanager.projects.secrets.setIamPolicy",
        "projects/{project}/secrets/{secretId}",
        "projects/{project}/secrets/{secretId}",
        own=("secretId",),
        refs={"secretId": SECRET},
    ),
    grant(
        "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember",
        "artifactregistry.projects.locations.repositories.setIamPolicy",
        "projects/{project}/locations/{location}/repositories/{repository}",
        "projects/{project}/locations/{location}/repositories/{repository}",
        own=("repository",),
        refs={"repository": REPOSITORY},
    ),
    grant(
        "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember",
        "cloudkms.projects.locations.keyRings.cryptoKeys.setIamPolicy",
        "{cryptoKeyId}",
        "{cryptoKeyId}",
        own=("cryptoKeyId",),
    ),
)
