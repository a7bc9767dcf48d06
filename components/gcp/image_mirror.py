"""Registry in the TPU's region that fetches each image from Docker Hub once and caches it."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True)
class ImageMirrorArgs:
    """Arguments of the registry."""

    project: str
    region: str
    readers: Mapping[str, pulumi.Input[str]]
    """IAM members that may pull, by a short name."""
    kms_key: str | None
    """Resource name of the key that encrypts cached images; None for Google's own key."""


class ImageMirror(pulumi.ComponentResource):
    """A remote repository of Artifact Registry. Pulls need no internet access and no Docker Hub quota."""

    prefix: pulumi.Output[str]
    """Prefix of the upstream image name: `<prefix>/vllm/vllm-tpu@sha256:…`."""

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
            # Google cannot change a repository's key, and the replacement has the same name, so the old
            # repository has to be deleted first. Only cached images are lost.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        # The repository may be protected. Access to it must end with the stack.
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
        # Built from the repository's outputs, so that everything that pulls waits for the repository.
        self.prefix = pulumi.Output.concat(
            repository.location, "-docker.pkg.dev/", args.project, "/", repository.repository_id
        )
        self.register_outputs({"prefix": self.prefix})
