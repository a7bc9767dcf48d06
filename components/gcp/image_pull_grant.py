"""Permission of a TPU VM's service account to pull the server's image."""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True)
class ImagePullArgs:
    """Arguments of the grant."""

    region: str
    """Region of the repository."""
    image_prefix: pulumi.Input[str]
    """Image prefix (`ImageMirror.prefix`), whose last part is the repository's name."""
    email: pulumi.Input[str]
    """Email of the service account."""


class ImagePull(pulumi.ComponentResource):
    """One IAM member of one repository. On GKE the node's account pulls; a TPU VM pulls as the server."""

    def __init__(self, name: str, args: ImagePullArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:gcp:ImagePull", name, None, opts)
        gcp.artifactregistry.RepositoryIamMember(
            f"{name}-reader",
            location=args.region,
            repository=pulumi.Output.from_input(args.image_prefix).apply(lambda text: text.rsplit("/", 1)[1]),
            role="roles/artifactregistry.reader",
            member=pulumi.Output.concat("serviceAccount:", args.email),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
