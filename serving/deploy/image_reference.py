"""References of the server's image: which registry holds an image, and from where a machine pulls it.

Nodes and TPU VMs have no reason to call the internet for an image. Docker Hub is read through the mirror of
the foundation, Artifact Registry directly. A node has the right to pull from no other registry.
"""

import re
from dataclasses import dataclass

DOCKER_HUB = "docker.io"
# Docker's own client takes index.docker.io for docker.io (github.com/distribution/reference, normalize.go,
# `splitDockerDomain`). The other two are the hosts that Docker Hub's API answers at.
_DOCKER_HUB_NAMES = (DOCKER_HUB, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com")

_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}\Z")
# Grammar of github.com/distribution/reference, regexp.go: path components, an optional tag, and the digest.
_COMPONENT = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"^{_COMPONENT}(?:/{_COMPONENT})*(?::\w[\w.-]{{0,127}})?{_DIGEST.pattern}")
# https://cloud.google.com/artifact-registry/docs/docker/names; a location is a region or a multi-region.
_ARTIFACT_REGISTRY = re.compile(r"^([a-z]+(?:-[a-z]+\d+)?)-docker\.pkg\.dev$")
_PROJECT = re.compile(r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$")

ARTIFACT_REGISTRY_FORM = "LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE@sha256:…"


@dataclass(frozen=True, kw_only=True)
class ArtifactRepository:
    """A repository of Artifact Registry. `location` is a region, or a multi-region such as `us`."""

    location: str
    project: str
    repository: str


@dataclass(frozen=True, kw_only=True)
class ImageReference:
    """An image by its registry's host and by its path there, with tag and digest."""

    registry: str
    path: str

    @property
    def name(self) -> str:
        """The one spelling of this image, without the host for Docker Hub."""
        return self.path if self.registry == DOCKER_HUB else f"{self.registry}/{self.path}"

    @property
    def repository(self) -> ArtifactRepository | None:
        """The repository of Artifact Registry that holds this image; None for an image of Docker Hub.

        Raises ValueError for a reference of another form, which `image_problem` explains.
        """
        if self.registry == DOCKER_HUB:
            return None
        location = _ARTIFACT_REGISTRY.match(self.registry)
        project, *rest = self.path.split("/")
        if location is None or len(rest) < 2 or not _PROJECT.match(project):
            raise ValueError(f"{self.name} is no image of Artifact Registry.")
        return ArtifactRepository(location=location[1], project=project, repository=rest[0])


def image_reference(text: str) -> ImageReference:
    """Returns the parts of an image's reference.

    The first component is a host when it could be one, as Docker's client decides it; an official image such
    as `ubuntu` is in the folder `library` of Docker Hub.
    """
    host, slash, path = text.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, path = DOCKER_HUB, text
    if host not in _DOCKER_HUB_NAMES:
        return ImageReference(registry=host, path=path)
    return ImageReference(registry=DOCKER_HUB, path=path if "/" in path else f"library/{path}")


def image_problem(text: str) -> str | None:
    """Returns why machines on Google Cloud could not pull this image, one sentence; None when they can."""
    if not _DIGEST.search(text):
        return (
            f"image is {text}, which can be another image tomorrow; name it with its digest: "
            "`crane digest IMAGE` prints it."
        )
    reference = image_reference(text)
    if not _PATH.match(reference.path):
        return (
            f"image is {text}, which is not the name of an image; write it as NAME:TAG@sha256:… in lower "
            "case, without a scheme."
        )
    try:
        _ = reference.repository
    except ValueError:
        if reference.registry.endswith("-docker.pkg.dev"):
            return (
                f"image is {text}, which is not complete for Artifact Registry; write it as "
                f"{ARTIFACT_REGISTRY_FORM}."
            )
        return (
            f"image is in the registry {reference.registry}, which the machines have no way to; name an "
            "image of Docker Hub, or copy it with `crane copy` to Artifact Registry and set image to "
            f"{ARTIFACT_REGISTRY_FORM}."
        )
    return None
