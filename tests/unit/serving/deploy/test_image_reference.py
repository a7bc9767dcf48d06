"""Every form in which an image can be named: where it is pulled from, or the sentence that refuses it."""

import pytest

from serving.deploy.image_reference import ArtifactRepository, image_problem, image_reference

D = "@sha256:" + "ab" * 32
HUB = f"vllm/vllm-tpu:v0.32.0{D}"

DOCKER_HUB = [
    (HUB, HUB),
    (f"vllm/vllm-tpu{D}", f"vllm/vllm-tpu{D}"),
    (f"docker.io/{HUB}", HUB),
    (f"index.docker.io/{HUB}", HUB),
    (f"registry-1.docker.io/{HUB}", HUB),
    (f"registry.hub.docker.com/{HUB}", HUB),
    (f"ubuntu:24.04{D}", f"library/ubuntu:24.04{D}"),
    (f"docker.io/ubuntu{D}", f"library/ubuntu{D}"),
    (f"docker.io/library/ubuntu{D}", f"library/ubuntu{D}"),
]
"""A reference of Docker Hub, and its name in the mirror."""

ARTIFACT_REGISTRY = [
    (f"us-docker.pkg.dev/a-project/images/vllm-tpu:v1{D}", ("us", "a-project", "images")),
    (f"us-east5-docker.pkg.dev/a-project/images/team/vllm{D}", ("us-east5", "a-project", "images")),
    (f"northamerica-northeast1-docker.pkg.dev/other-1/r/i{D}", ("northamerica-northeast1", "other-1", "r")),
]
"""A reference of Artifact Registry, and location, project and repository of the grant."""

INCOMPLETE = (
    "which is not complete for Artifact Registry; write it as "
    "LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE@sha256:…."
)
MALFORMED = (
    "which is not the name of an image; write it as NAME:TAG@sha256:… in lower case, without a scheme."
)
MUTABLE = "which can be another image tomorrow; name it with its digest: `crane digest IMAGE` prints it."


def no_way(host: str) -> str:
    return (
        f"image is in the registry {host}, which the machines have no way to; name an image of Docker Hub, "
        "or copy it with `crane copy` to Artifact Registry and set image to "
        "LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE@sha256:…."
    )


REFUSED = [
    (f"ghcr.io/{HUB}", no_way("ghcr.io")),
    (f"quay.io/{HUB}", no_way("quay.io")),
    (f"gcr.io/{HUB}", no_way("gcr.io")),
    (f"eu.gcr.io/{HUB}", no_way("eu.gcr.io")),
    (f"nvcr.io/{HUB}", no_way("nvcr.io")),
    (f"registry.k8s.io/pause{D}", no_way("registry.k8s.io")),
    (f"public.ecr.aws/{HUB}", no_way("public.ecr.aws")),
    (f"localhost/{HUB}", no_way("localhost")),
    (f"localhost:5000/{HUB}", no_way("localhost:5000")),
    (f"10.0.0.1:5000/{HUB}", no_way("10.0.0.1:5000")),
    (f"us-east5-docker.pkg.dev.example.org/p/r/i{D}", no_way("us-east5-docker.pkg.dev.example.org")),
    (f"us-npm.pkg.dev/a-project/r/i{D}", no_way("us-npm.pkg.dev")),
    (f"us-docker.pkg.dev/a-project/vllm{D}", INCOMPLETE),
    (f"us-docker.pkg.dev/vllm{D}", INCOMPLETE),
    (f"US-docker.pkg.dev/a-project/r/i{D}", INCOMPLETE),
    (f"us-docker.pkg.dev/example.com/a-project/r/i{D}", INCOMPLETE),
    (f"us_east5-docker.pkg.dev/a-project/r/i{D}", INCOMPLETE),
    (f"docker://vllm/vllm-tpu{D}", MALFORMED),
    (f"https://docker.io/vllm/vllm-tpu{D}", MALFORMED),
    (f"vllm/VLLM-tpu{D}", MALFORMED),
    (f"vllm//vllm-tpu{D}", MALFORMED),
    (f"/vllm/vllm-tpu{D}", MALFORMED),
    (f"vllm/vllm-tpu:{D}", MALFORMED),
    (f"vllm/vllm-tpu:a:b{D}", MALFORMED),
    (f" vllm/vllm-tpu{D}", MALFORMED),
    (f"docker.io/{D}", MALFORMED),
    (D, MALFORMED),
    ("vllm/vllm-tpu:v0.32.0", MUTABLE),
    ("vllm/vllm-tpu@sha256:abc", MUTABLE),
    (f"{HUB}\n", MUTABLE),
    (f"{HUB.upper()}", MUTABLE),
]


@pytest.mark.parametrize(("text", "name"), DOCKER_HUB)
def test_docker_hub_under_any_of_its_names_is_one_image(text: str, name: str) -> None:
    reference = image_reference(text)
    assert (image_problem(text), reference.name, reference.repository) == (None, name, None)


@pytest.mark.parametrize(("text", "place"), ARTIFACT_REGISTRY)
def test_artifact_registry_is_used_as_it_is(text: str, place: tuple[str, str, str]) -> None:
    location, project, repository = place
    reference = image_reference(text)
    assert (image_problem(text), reference.name) == (None, text)
    assert reference.repository == ArtifactRepository(
        location=location, project=project, repository=repository
    )


@pytest.mark.parametrize(("text", "sentence"), REFUSED)
def test_every_other_reference_is_refused_with_one_sentence(text: str, sentence: str) -> None:
    prefix = "" if sentence.startswith("image is") else f"image is {text}, "
    assert image_problem(text) == f"{prefix}{sentence}"
