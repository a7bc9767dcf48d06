"""The name under which a stack's machines pull the server's image, and the grant that lets them."""

from __future__ import annotations

import pulumi

from components.gcp.image_pull_grant import ImagePullArgs
from serving.deploy.image_reference import image_reference
from stacks.gcp.foundation_outputs import Foundation


def pull_name(image: str, shared: Foundation) -> pulumi.Output[str]:
    """Returns the name to pull: an image of Docker Hub is in the foundation's mirror."""
    reference = image_reference(image)
    if reference.repository is not None:
        return pulumi.Output.from_input(reference.name)
    return pulumi.Output.concat(shared.image_prefix, "/", reference.name)


def pull_grant(image: str, shared: Foundation, region: str, email: pulumi.Input[str]) -> ImagePullArgs:
    """Returns the grant for `email` on the repository that holds the image, or on the foundation's mirror."""
    repository = image_reference(image).repository
    if repository is not None:
        return ImagePullArgs(
            project=repository.project,
            location=repository.location,
            repository=repository.repository,
            email=email,
        )
    mirror = pulumi.Output.from_input(shared.image_prefix).apply(lambda prefix: prefix.rsplit("/", 1)[1])
    return ImagePullArgs(project=None, location=region, repository=mirror, email=email)
