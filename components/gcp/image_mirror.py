"""A registry in the TPU's region that fetches an image from Docker Hub once and keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True)
class ImageMirrorArgs:
    """`readers` map a short name to an IAM member."""

    project: str
    region: str
    readers: Mapping[str, pulumi.Input[str]]
    kms_key: str | None


class ImageMirror(pulumi.ComponentResource):
    """A remote repository of Artifact Registry: pulls depend on no limit of Docker Hub, nor on a way out."""

    prefix: pulumi.Output[str]
    """What stands before the upstream name: `<prefix>/vllm/vllm-tpu@sha256:…`."""

    def __init__(self, name: str, args: ImageMirrorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:gcp:ImageMirror", name, None, opts)
        repository = gcp.artifactregistry.Repository(
            f"{name}-repository",
            repository_id=name,
            location=args.region,
            format="DOCKER",
            mode="REMOTE_REPOSITORY",
            description="Images of the model server, from Docker Hub",
            remote_repository_config={"docker_repository": {"public_repository": "DOCKER_HUB"}},
            kms_key_name=args.kms_key,
            # Google cannot change the key of a repository, and the new repository has the old one's name.
            # The new one could not be created while the old one exists. Only cached images are lost.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        # The repository may be protected; nobody's access to it should be.
        access = pulumi.ResourceOptions(parent=self, protect=False, retain_on_delete=False)
        for key, member in args.readers.items():
            gcp.artifactregistry.RepositoryIamMember(
                f"{name}-{key}",
                location=repository.location,
                repository=repository.repository_id,
                role="roles/artifactregistry.reader",
                member=member,
                opts=access,
            )
        # From the repository's outputs, so that whoever pulls waits for it.
        self.prefix = pulumi.Output.concat(
            repository.location, "-docker.pkg.dev/", args.project, "/", repository.repository_id
        )
        self.register_outputs({"prefix": self.prefix})
