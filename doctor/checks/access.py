"""Access of the caller: login, project, enabled APIs and permissions."""

from collections.abc import Iterator

from config.targets import FoundationTarget, GkeTarget, NewCluster, TpuVmTarget
from doctor.case import Case
from doctor.google import Absent
from doctor.outcome import Outcome, missing, ok
from stacks.gcp.foundation import SERVICES

FIRST_SERVICES = ("cloudresourcemanager.googleapis.com", "serviceusage.googleapis.com")
"""APIs with which the foundation enables the others."""
QUOTAS_SERVICE = "cloudquotas.googleapis.com"

FOUNDATION = {
    "artifactregistry.repositories.create": "roles/artifactregistry.admin",
    "compute.firewalls.create": "roles/compute.securityAdmin",
    "compute.networks.create": "roles/compute.networkAdmin",
    "compute.routers.create": "roles/compute.networkAdmin",
    "compute.subnetworks.create": "roles/compute.networkAdmin",
    "dns.managedZones.create": "roles/dns.admin",
    "iam.serviceAccounts.create": "roles/iam.serviceAccountAdmin",
    "resourcemanager.projects.setIamPolicy": "roles/resourcemanager.projectIamAdmin",
    "secretmanager.secrets.create": "roles/secretmanager.admin",
    "serviceusage.services.enable": "roles/serviceusage.serviceUsageAdmin",
    "storage.buckets.create": "roles/storage.admin",
}
GKE = {
    "container.clusters.update": "roles/container.admin",
    "container.deployments.create": "roles/container.admin",
    "iam.serviceAccounts.actAs": "roles/iam.serviceAccountUser",
    "iam.serviceAccounts.setIamPolicy": "roles/iam.serviceAccountAdmin",
}
NEW_CLUSTER = {"container.clusters.create": "roles/container.admin"}
TPU_VM = {
    "artifactregistry.repositories.setIamPolicy": "roles/artifactregistry.admin",
    "compute.firewalls.create": "roles/compute.securityAdmin",
    "iam.serviceAccounts.actAs": "roles/iam.serviceAccountUser",
}
GROUP = {
    "compute.healthChecks.create": "roles/compute.networkAdmin",
    "compute.instanceGroupManagers.create": "roles/compute.instanceAdmin.v1",
    "compute.instanceTemplates.create": "roles/compute.instanceAdmin.v1",
}
CLOUD_TPU = {
    "compute.disks.create": "roles/compute.instanceAdmin.v1",
    "serviceusage.services.enable": "roles/serviceusage.serviceUsageAdmin",
    "tpu.nodes.create": "roles/tpu.admin",
}
ENDPOINT = {
    "certificatemanager.certs.create": "roles/certificatemanager.owner",
    "certificatemanager.dnsauthorizations.create": "roles/certificatemanager.owner",
    "certificatemanager.dnsauthorizations.use": "roles/certificatemanager.owner",
    "compute.addresses.create": "roles/compute.networkAdmin",
}
MONITORING = {
    # Of the policies on log entries.
    "logging.notificationRules.create": "roles/logging.configWriter",
    "monitoring.alertPolicies.create": "roles/monitoring.editor",
    "monitoring.dashboards.create": "roles/monitoring.editor",
    "monitoring.slos.create": "roles/monitoring.editor",
}
MACHINE_METRICS = {"resourcemanager.projects.setIamPolicy": "roles/resourcemanager.projectIamAdmin"}
"""Permissions of `pulumi up`, one or two for each kind of resource, each with a role that has it. Names: https://cloud.google.com/iam/docs/permissions-reference."""


def login(case: Case) -> Outcome:
    """Reports the login, which was tried before the first check."""
    if isinstance(case.login, str):
        return missing(f"Google was not asked, because {case.login}.", ends_asking=True)
    return ok("The application default credentials work.")


def project(case: Case) -> Outcome:
    """Asks whether the project exists."""
    name = case.target.project
    try:
        state = case.project.get("state")
    except Absent:
        return missing(
            f"Google shows you no project {name}: fix target.project, or ask its owner for a role.",
            ends_asking=True,
        )
    if state != "ACTIVE":
        sentence = f"Project {name} is {state}, and only an ACTIVE one can be used: restore it."
        return missing(sentence, ends_asking=True)
    return ok(f"Project {name} is there.")


def services(case: Case) -> Outcome:
    """Asks which APIs are enabled."""
    name = case.target.project
    enabled = {
        str(service["config"]["name"])
        for page in case.google.pages(
            "serviceusage",
            f"{case.project['name']}/services",
            filter="state:ENABLED",
            pageSize="200",
            fields="services/config/name,nextPageToken",
        )
        for service in page.get("services", [])
    }
    is_foundation = isinstance(case.target, FoundationTarget)
    needed = FIRST_SERVICES if is_foundation else (*SERVICES, QUOTAS_SERVICE)
    disabled = [service for service in needed if service not in enabled]
    if disabled:
        return missing(
            f"{len(needed)} APIs are needed in {name}, and {', '.join(disabled)} "
            f"{'is' if len(disabled) == 1 else 'are'} disabled: run `gcloud services enable "
            f"{' '.join(disabled)} --project={name}`."
        )
    return ok(f"The {len(needed)} APIs that the stack needs are enabled.")


def permissions(case: Case) -> Outcome:
    """Asks which permissions the caller has on the project."""
    needed = dict(_needed(case))
    answer = case.google.post(
        "cloudresourcemanager",
        f"projects/{case.target.project}:testIamPermissions",
        {"permissions": sorted(needed)},
    )
    granted = set(answer.get("permissions", []))
    absent = {permission: role for permission, role in sorted(needed.items()) if permission not in granted}
    if absent:
        return missing(
            f"`pulumi up` needs {len(needed)} permissions on {case.target.project}, and you lack "
            f"{', '.join(absent)}: ask its owner for {', '.join(sorted(set(absent.values())))}."
        )
    return ok(f"You have the {len(needed)} permissions that were asked for.")


def _needed(case: Case) -> Iterator[tuple[str, str]]:
    """Yields the permissions of the stack, each with a role that has it."""
    monitored = case.settings.monitoring.enabled
    match case.target:
        case FoundationTarget():
            yield from FOUNDATION.items()
            return
        case GkeTarget() as target:
            yield from GKE.items()
            if isinstance(target.cluster, NewCluster):
                yield from NEW_CLUSTER.items()
        case TpuVmTarget() as target:
            yield from TPU_VM.items()
            yield from (GROUP if target.api == "compute-engine" else CLOUD_TPU).items()
            if monitored:
                yield from MACHINE_METRICS.items()
    if target.endpoint is not None:
        yield from ENDPOINT.items()
    if monitored:
        yield from MONITORING.items()
