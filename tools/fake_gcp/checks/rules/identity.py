"""Rules for service accounts, roles, grants and workload identity."""

import re
from collections.abc import Iterator

from tools.fake_gcp.checks.rules.base import Case, exactly_one, rule
from tools.fake_gcp.checks.shape import Problem
from tools.fake_gcp.schema import kind

MEMBER = (
    # https://cloud.google.com/iam/docs/principal-identifiers
    r"allUsers|allAuthenticatedUsers"
    r"|(user|group|serviceAccount):[^@\s]+@[^@\s]+\.[^@\s]+"
    r"|serviceAccount:[^/\s]+\.svc\.id\.goog\[[a-z0-9-]+/[a-z0-9-]+\]"
    r"|domain:[^@\s]+\.[^@\s]+|deleted:.+\?uid=\d+"
    r"|principal://iam\.googleapis\.com/.+/subject/.+|principalSet://.+"
    r"|project(Owner|Editor|Viewer):[a-z][a-z0-9-]+"
)
ROLE = r"roles/[A-Za-z0-9_.]+|(projects|organizations)/[^/]+/roles/[A-Za-z0-9_.]+"
GRANTS = tuple(token for token in kind.every() if re.search(r"[iI][aA][mM]Member$", token))


@rule(*GRANTS)
def grant(case: Case) -> Iterator[Problem]:
    """https://cloud.google.com/iam/docs/principal-identifiers and /iam/docs/roles-overview"""
    member, role = case.get("member"), case.get("role")
    if member is not None and not re.fullmatch(MEMBER, member):
        yield (
            "member",
            f"{member!r} is no principal: write serviceAccount:NAME@PROJECT.iam.gserviceaccount.com, "
            "user:, group:, domain:, principal:// or principalSet://.",
        )
    if role is not None and not re.fullmatch(ROLE, role):
        yield "role", f"{role!r} is no role: roles are named like roles/storage.objectViewer."
    if member in ("allUsers", "allAuthenticatedUsers") and case.kind.module in ("projects", "secretmanager"):
        yield "member", f"{member} cannot be granted a role on a {case.kind.module} resource."


@rule("gcp:serviceaccount/account:Account")
def account(case: Case) -> Iterator[Problem]:
    """https://cloud.google.com/iam/docs/service-accounts-create and the discovery document's descriptions."""
    name = case.get("accountId")
    if name is not None and not re.fullmatch(r"[a-z]([-a-z0-9]{4,28}[a-z0-9])", name):
        yield (
            "accountId",
            f"The service account id {name!r} has {len(name)} characters: it must be 6 to 30 lower-case "
            "letters, digits or hyphens, begin with a letter and not end with a hyphen.",
        )
    if len(case.get("displayName", "").encode()) > 100:
        yield "displayName", "A service account's display name has at most 100 bytes."
    if len(case.get("description", "").encode()) > 256:
        yield "description", "A service account's description has at most 256 bytes."


@rule("gcp:projects/iAMCustomRole:IAMCustomRole")
def custom_role(case: Case) -> Iterator[Problem]:
    """https://cloud.google.com/iam/docs/creating-custom-roles"""
    name = case.get("roleId")
    if name is not None and not re.fullmatch(r"[A-Za-z0-9_.]{3,64}", name):
        yield "roleId", f"The role id {name!r} must be 3 to 64 letters, digits, '_' or '.'."
    for item in case.get("permissions", []):
        if not re.fullmatch(r"[a-zA-Z0-9]+(\.[a-zA-Z0-9]+){2,}|04da.*", item):
            yield "permissions", f"{item!r} is no permission: write service.resource.verb, without wildcards."


@rule("gcp:projects/service:Service")
def service(case: Case) -> Iterator[Problem]:
    """https://cloud.google.com/service-usage/docs/reference/rest/v1/services: name of the service."""
    name = case.get("service")
    if name and not re.fullmatch(r"[a-z0-9.-]+\.googleapis\.com", name):
        yield "service", f"{name!r} is no service: services are named like compute.googleapis.com."


@rule(
    "gcp:iam/workloadIdentityPool:WorkloadIdentityPool",
    "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider",
)
def federation(case: Case) -> Iterator[Problem]:
    """Descriptions of workloadIdentityPoolId and workloadIdentityPoolProviderId in the discovery document."""
    for path in ("workloadIdentityPoolId", "workloadIdentityPoolProviderId"):
        name = case.get(path)
        if name and (not re.fullmatch(r"[a-z0-9-]{4,32}", name.split("/")[-1]) or name.startswith("gcp-")):
            yield (
                path,
                f"{path} {name!r} must be 4 to 32 lower-case letters, digits or hyphens, and not begin "
                "with gcp-.",
            )
    if case.given("workloadIdentityPoolProviderId"):
        yield from exactly_one(case, "aws", "oidc", "saml", "x509")
        mapping = case.get("attributeMapping", {})
        if case.given("oidc") and "google.subject" not in mapping:
            yield "attributeMapping", "An OIDC provider's attributeMapping must map google.subject."
        issuer = case.get("oidc.issuerUri")
        if issuer and not issuer.startswith("https://"):
            yield "oidc.issuerUri", f"The issuer {issuer!r} must be an https:// address."
