"""Error messages of Google and of the real provider."""

from typing import Any

from tools.fake_gcp.checks.values import last
from tools.fake_gcp.schema.kind import Kind, at

SERVICES = {
    "artifactregistry": "artifactregistry.googleapis.com",
    "certificatemanager": "certificatemanager.googleapis.com",
    "cloudkms": "cloudkms.googleapis.com",
    "cloudresourcemanager": "cloudresourcemanager.googleapis.com",
    "compute": "compute.googleapis.com",
    "container": "container.googleapis.com",
    "dns": "dns.googleapis.com",
    "iam": "iam.googleapis.com",
    "logging": "logging.googleapis.com",
    "monitoring": "monitoring.googleapis.com",
    "monitoring:v1": "monitoring.googleapis.com",
    "secretmanager": "secretmanager.googleapis.com",
    "storage": "storage.googleapis.com",
    "tpu": "tpu.googleapis.com",
}


class GoogleError(Exception):
    """Failed call; the object does not exist, or did not change."""


class Unfinished(GoogleError):
    """Creation or update that failed after the object was created: it exists and the provider knows its
    state."""


def google(code: int, text: str, reason: str) -> GoogleError:
    """Returns an error as Google's Go client prints it."""
    return GoogleError(f"googleapi: Error {code}: {text}, {reason}")


def disabled(kind: Kind, project: str) -> GoogleError:
    """Returns the error for an API that is not enabled, in the words of Service Usage's SERVICE_DISABLED."""
    host = SERVICES[kind.api]
    name = kind.api.partition(":")[0]
    return google(
        403,
        f"{name} API has not been used in project {project} before or it is disabled. Enable it by visiting "
        f"https://console.developers.google.com/apis/api/{host}/overview?project={project} then retry. If "
        "you enabled this API recently, wait a few minutes for the action to propagate to our systems and "
        "retry",
        "accessNotConfigured",
    )


def permission(kind: Kind, identity: str) -> GoogleError:
    """Returns the error for a missing permission, whose name is the method's."""
    parts = kind.method.partition(":")[0].split(".") if ":" in kind.method else kind.method.split(".")
    name = ".".join([parts[0], *parts[-2:]]).replace(".insert", ".create")
    return google(403, f"Required '{name}' permission for '{identity}'", "forbidden")


def quota(fault: dict[str, Any], region: str) -> GoogleError:
    """Returns the error in the words of Compute Engine's QUOTA_EXCEEDED."""
    name = fault.get("quota", "TPUS_PER_TPU_FAMILY")
    return google(
        403,
        f"Quota '{name}' exceeded. Limit: {float(fault.get('limit', 0))} in region {region}.",
        "quotaExceeded",
    )


def stockout(kind: Kind, inputs: dict[str, Any], words: dict[str, Any]) -> GoogleError:
    """Returns the error for a zone without capacity.

    Wordings: GKE's from hashicorp/terraform-provider-google#10121, Compute Engine's
    ZONE_RESOURCE_POOL_EXHAUSTED from googlefonts/fontbakery-dashboard#81, Cloud TPU's from
    GoogleCloudPlatform/magic-modules#7297.
    """
    zone = last(at(inputs, "nodeLocations")[0]) if at(inputs, "nodeLocations") else words.get("zone")
    zone = zone or words.get("location")
    lacking = (
        f"The zone 'projects/{words['project']}/zones/{zone}' does not have enough resources available to "
        "fulfill the request."
    )
    if kind.module == "container":
        name = f"gke-{words.get('cluster', '')}-{words.get('name', '')}-0"
        return Unfinished(
            "Error waiting for creating GKE NodePool: Google Compute Engine: Not all instances running in "
            "IGM after 1m6.219216581s. Expected 1, running 0, transitioning 1. Current errors: "
            f"[GCE_STOCKOUT]: Instance '{name}' creation failed: {lacking}  '(resource type:compute)'."
        )
    if kind.module == "tpu":
        return GoogleError(
            "Error waiting to create Vm: Error waiting for Creating Vm: Error code 8, message: There is no "
            f'more capacity in the zone "{zone}"; you can try in another zone where Cloud TPU Nodes are '
            "offered (see https://cloud.google.com/tpu/docs/regions)"
        )
    text = f"ZONE_RESOURCE_POOL_EXHAUSTED: {lacking}  Try a different zone, or try again later."
    if "GroupManager" in kind.token:
        return Unfinished(f"Error waiting for instances to be created: {text}")
    return GoogleError(f"Error waiting to create: {text}")


def waited(kind: Kind, seconds: float, *, group: bool = False) -> Unfinished:
    """Returns the provider's own time-out, in the words of the Terraform SDK's retry.TimeoutError."""
    span = f"{int(seconds) // 3600}h" if seconds >= 3600 else ""
    span += f"{int(seconds) % 3600 // 60}m{int(seconds) % 60}s"
    target, state = ("created", "creating") if group else ("DONE", "RUNNING")
    return Unfinished(
        f"Error waiting for {kind.token.split(':')[-1]}: timeout while waiting for state to become "
        f"'{target}' (last state: '{state}', timeout: {span})"
    )
