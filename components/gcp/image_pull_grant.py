"""Permission of a TPU VM's service account to pull the server's image."""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True)
class ImagePullArgs:
    """Arguments of the grant."""

    project: str | None
    """Project of the repository; None for the provider's."""
    location: str
    """Region or multi-region of the repository."""
    repository: pulumi.Input[str]
    """Name of the repository."""
    email: pulumi.Input[str]
    """Email of the service account."""


class ImagePull(pulumi.ComponentResource):
    """One IAM member of one repository. On GKE the node's account pulls; a TPU VM pulls as the server."""

    def __init__(self, name: str, args: ImagePullArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:gcp:ImagePull", name, None, opts)
        gcp.artifactregistry.RepositoryIamMember(
            f"{name}-reader",
            project=args.project,
            location=args.location,
            repository=args.repository,
            role="roles/artifactregistry.reader",
            member=pulumi.Output.concat("serviceAccount:", args.email),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
