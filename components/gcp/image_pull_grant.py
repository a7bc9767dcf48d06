"""The right of a machine's account to pull the server's image."""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True)
class ImagePullArgs:
    """`image_prefix` ends with the repository's name, in `region`; `email` is the account's."""

    region: str
    image_prefix: pulumi.Input[str]
    email: pulumi.Input[str]


class ImagePull(pulumi.ComponentResource):
    """One grant on one repository. On GKE the node pulls, as itself; a machine does, as the server."""

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
