"""Targets of a stack: one model per kind of target, chosen by `kind`.

A field of another kind is refused, not ignored: a field that a target cannot use is a mistake.
"""

from typing import Annotated, Literal

from pydantic import Field

from config.provisioning import Capacity, ProvisioningOption
from config.strict_model import StrictModel

PLACEHOLDER_PROJECT = "my-project"
"""Project id in the stack files as they are delivered; `preview` accepts it, `up` does not."""

# https://cloud.google.com/resource-manager/docs/creating-managing-projects
Project = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$", examples=["my-project"])]
Region = Annotated[str, Field(pattern=r"^[a-z]+-[a-z]+\d+$", examples=["us-east5"])]
# A letter, or for an AI zone `ai`, a number and a letter: https://cloud.google.com/compute/docs/regions-zones
Zone = Annotated[str, Field(pattern=r"^[a-z]+-[a-z]+\d+-([a-z]|ai\d+[a-z])$", examples=["us-east5-b"])]


def artifact_bucket(project: str) -> str:
    """Returns the name of a project's bucket of weights, compile caches and release records."""
    return f"{project}-tpuserve"


class _PodTarget(StrictModel):
    """Fields of every target whose server is a pod."""

    run_as: Literal["user", "root"] = Field(
        default="user",
        description="root: for nodes that let only root open the chips; without capabilities, and the "
        "namespace then admits any pod of the level baseline.",
    )


class LocalTarget(_PodTarget):
    """An existing cluster: the one that `make up` starts, or yours."""

    kind: Literal["local"]
    kubeconfig: str | None = Field(
        default=None, min_length=1, description="Path of a kubeconfig; unset: the cluster of `make up`."
    )
    context: str = Field(
        default="tpuserve-local",
        min_length=1,
        description="Context in that kubeconfig; never the current one.",
    )


class FoundationTarget(StrictModel):
    """The resources that outlive a project's serving stacks: one foundation per project, in one region."""

    kind: Literal["foundation"]
    project: Project = Field(description="Id of the Google Cloud project.")
    region: Region = Field(description="Region of network, bucket and registry; TPUs must be in it.")
    environments: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,18}$")], str] = Field(
        min_length=1,
        description="Serving stacks that may use this foundation, each with the range of its pods.",
    )
    kms_key: str | None = Field(
        default=None,
        pattern=r"^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$",
        description="Key that encrypts bucket and registry; unset: Google's own keys. Its owner first lets "
        "both services use it: docs/operations.md, step 4.",
    )
    protect: bool = Field(
        default=True,
        description="Refuse to delete what cannot be created again; bucket and secrets outlive it.",
    )


class MaintenanceWindow(StrictModel):
    """Times when Google may upgrade: a first window and its recurrence (RFC 5545)."""

    start: str = Field(
        default="2026-01-03T02:00:00Z", pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", description="In UTC."
    )
    end: str = Field(
        default="2026-01-03T10:00:00Z", pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", description="In UTC."
    )
    recurrence: str = Field(default="FREQ=WEEKLY;BYDAY=SA,SU", description="An RFC 5545 rule.")


class MaintenanceExclusion(StrictModel):
    """A time without upgrades of nodes and minor versions, such as a launch."""

    name: str = Field(min_length=1)
    start: str = Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", description="In UTC.")
    end: str = Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", description="In UTC.")


STAY = "stay-at-minor-version"
"""Name of the exclusion with which a stack holds `minor_version`."""


class NewCluster(StrictModel):
    """A regional cluster that belongs to this stack."""

    kind: Literal["new"] = "new"
    release_channel: Literal["RAPID", "REGULAR", "STABLE"] = Field(
        default="REGULAR", description="How early GKE offers Kubernetes versions."
    )
    minor_version: str | None = Field(
        default=None,
        pattern=r"^1\.[1-9]\d$",
        examples=["1.35"],
        description="Kubernetes minor version to stay at until the end of its support, with Google's "
        "patches; unset: the channel's.",
    )
    window: MaintenanceWindow = Field(
        default=MaintenanceWindow(), description="When Google may upgrade the cluster."
    )
    exclusions: tuple[MaintenanceExclusion, ...] = Field(
        default=(), strict=False, description="Times without upgrades."
    )


class ExistingCluster(StrictModel):
    """A cluster that the stack does not own; docs/operations.md lists what it must have."""

    kind: Literal["existing"]
    name: str = Field(min_length=1, description="The cluster's name.")
    location: str = Field(min_length=1, description="Its region, or its zone.")


Cluster = Annotated[NewCluster | ExistingCluster, Field(discriminator="kind")]


class Endpoint(StrictModel):
    """A load balancer with TLS in front of the server."""

    hostname: str = Field(
        pattern=r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$", description="Name that clients use."
    )
    exposure: Literal["internal", "public"] = Field(
        default="internal", description="internal: reachable only from the VPC; public needs authentication."
    )


class _ServingTarget(StrictModel):
    """Fields of every target that uses a foundation."""

    project: Project = Field(description="Id of the Google Cloud project.")
    zone: Zone = Field(description="Zone of the TPU; its region is the foundation's.")
    foundation: str = Field(
        default="foundation", min_length=1, description="Stack that holds the foundation."
    )

    @property
    def region(self) -> str:
        """Region of the zone: its name without the letter."""
        return self.zone.rsplit("-", 1)[0]


class GkeTarget(_ServingTarget, _PodTarget):
    """A GKE cluster with TPU nodes, beside a foundation."""

    kind: Literal["gke"]
    capacity: Capacity = Field(description="How the TPU is bought.")
    cluster: Cluster = Field(default=NewCluster(), description="A new cluster, or an existing one.")
    endpoint: Endpoint | None = Field(
        default=None, description="Load balancer; unset: reachable only inside the cluster."
    )
    hugging_face_token: bool = Field(
        default=True, description="Download the weights with the secret tpuserve-hugging-face-token."
    )
    protect: bool = Field(default=False, description="Refuse to delete the cluster and the TPU nodes.")


class TpuVmTarget(_ServingTarget):
    """A group of TPU VMs that repairs itself, beside a foundation."""

    kind: Literal["tpu-vm"]
    other_zones: tuple[Zone, ...] = Field(
        default=(), strict=False, description="More zones of the region in which Google may create a machine."
    )
    capacity: ProvisioningOption = Field(description="How the TPU is bought.")
    api: Literal["compute-engine", "cloud-tpu"] = Field(
        default="compute-engine",
        description="cloud-tpu: one machine that nothing repairs, for quota of that API.",
    )
    endpoint: Endpoint | None = Field(
        default=None, description="Load balancer with TLS; unset: only the machine's address."
    )
    clients: tuple[Annotated[str, Field(pattern=r"^\d+(\.\d+){3}/\d+$", examples=["10.0.0.0/8"])], ...] = (
        Field(default=(), strict=False, description="Ranges that may call the machines themselves.")
    )
    keep_data: bool = Field(
        default=True, description="A disk with weights, image and compile cache that outlives a repair."
    )
    baked_cache: bool = Field(
        default=False, description="Start with the compile cache of `make bake`, on trial; docs/proof.md."
    )
    protect: bool = Field(default=False, description="Refuse to delete the machines.")


Target = Annotated[LocalTarget | FoundationTarget | GkeTarget | TpuVmTarget, Field(discriminator="kind")]
