"""Checks of a whole stack file that no single field can make, without Pulumi.

Every command runs them before it uses a stack: `pulumi preview`, explain, compose, prove and bake.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from config.monitoring_limits import monitoring_problems
from config.provisioning import FlexStart, ProvisioningFallback, lacking_gke
from config.settings import Settings
from config.targets import (
    PLACEHOLDER_PROJECT,
    STAY,
    FoundationTarget,
    GkeTarget,
    LocalTarget,
    NewCluster,
    TpuVmTarget,
)
from config.tpu_vm_checks import tpu_vm_problems
from serving.deploy.image_reference import image_problem
from serving.hardware.accelerators import DEFAULT_ACCELERATOR, accelerator
from serving.models.catalog import model

PLACEHOLDER_DIGEST = "0" * 64


def problems(settings: Settings, *, placeholders: bool) -> Iterator[str]:
    """Yields one sentence for each setting that could not work on the stack's target.

    `placeholders` accepts the placeholders of the committed stack files, which `preview` takes and `up` does
    not. Raises ValueError for an accelerator, a model or a phase that does not exist.
    """
    target, slice_ = settings.target, accelerator(settings.accelerator)
    yield from monitoring_problems(settings)
    yield from _expected_load(settings)
    if not slice_.offered:
        yield (
            f"accelerator {slice_.name} is in the table only to compare published boots with, and no stack "
            f"can order it; choose {DEFAULT_ACCELERATOR}, or ask `python -m explain engine` about it."
        )
    if isinstance(target, LocalTarget):
        yield from _local(settings)
    if not isinstance(target, GkeTarget | TpuVmTarget):
        return
    spec = settings.model_spec
    yield from project_problems(target.project, placeholders=placeholders)
    yield from _image(settings.image, target.kind, placeholders)
    yield from _endpoint(settings, target, placeholders)
    if slice_.is_stand_in:
        yield (
            f"accelerator {slice_.name} is the CPU stand-in and does not exist on Google Cloud; set "
            "accelerator to v6e-4, or target.kind to local."
        )
    if model(spec.name).revision == "local":
        yield (
            f"model {spec.name} is made on the local machine and is in no repository; "
            "choose a model of the Gemma family."
        )
    elif spec.revision is None:
        yield (
            f"model_revision is not set, and what {spec.hf_repo} holds may be another model tomorrow; set "
            f"it to a commit of https://huggingface.co/{spec.hf_repo}/commits/main."
        )
    if isinstance(target, TpuVmTarget):
        yield from tpu_vm_problems(settings, target, slice_)
    else:
        yield from _minor_version(target)
        yield from _waits(target)
        yield from _exclusions(target)


def refuse(problems: Iterator[str]) -> None:
    """Raises ValueError with all problems, one sentence a line, when there are any."""
    sentences = list(problems)
    if sentences:
        raise ValueError("\n".join(sentences))


def project_problems(project: str, *, placeholders: bool) -> Iterator[str]:
    """Yields a sentence for the placeholder project, which belongs to nobody, unless `placeholders`."""
    if project == PLACEHOLDER_PROJECT and not placeholders:
        yield (
            f"target.project is still the placeholder {project}, which `preview` takes and `up` does not; "
            "set target.project to the id of your project."
        )


def _minor_version(target: GkeTarget) -> Iterator[str]:
    minor = target.cluster.minor_version if isinstance(target.cluster, NewCluster) else None
    lacking = lacking_gke(target.capacity, minor) if minor else None
    if lacking:
        yield (
            f"target.cluster.minor_version is {minor}, and the capacity {lacking}; set it to a newer minor "
            "version, or choose another target.capacity.kind."
        )


def _waits(target: GkeTarget) -> Iterator[str]:
    """Yields a sentence if an option of a ComputeClass has a wait of its own, which nothing could keep."""
    capacity = target.capacity
    options = capacity.rungs if isinstance(capacity, ProvisioningFallback) else ()
    if any(isinstance(option, FlexStart) and "wait_minutes" in option.model_fields_set for option in options):
        yield (
            "target.capacity.rungs has an option with wait_minutes, and a deployment waits once for whatever "
            "GKE gives it; set target.capacity.wait_minutes, and remove it from the option."
        )


def _expected_load(settings: Settings) -> Iterator[str]:
    if settings.expected_load is None:
        return
    match settings.target:
        case FoundationTarget():
            yield (
                "expected_load is set, and target.kind is foundation, which serves nothing; set it in the "
                "files of the stacks that serve."
            )
        case LocalTarget():
            yield (
                "expected_load is set, and target.kind is local, whose processors do the work of a TPU at a "
                "speed that nothing simulates; remove it, or run `make load-test`."
            )
        case _:
            pass


def _exclusions(target: GkeTarget) -> Iterator[str]:
    """Yields one sentence for each name that two exclusions of the cluster would have."""
    if not isinstance(target.cluster, NewCluster):
        return
    names = Counter(exclusion.name for exclusion in target.cluster.exclusions)
    if STAY in names and target.cluster.minor_version is not None:
        yield (
            f"target.cluster.exclusions has the name {STAY}, which the stack gives to the exclusion that "
            f"holds target.cluster.minor_version at {target.cluster.minor_version}; rename yours."
        )
    for name, count in names.items():
        if count > 1:
            yield (
                f"target.cluster.exclusions has the name {name} {count} times, and GKE keeps one exclusion "
                "of a name; rename the others."
            )


def _local(settings: Settings) -> Iterator[str]:
    if settings.engine.get("allowed_media_domains"):
        yield (
            "engine.allowed_media_domains is set, and the local cluster has no DNS and no route to the "
            "internet; remove it, and send media as data: URLs."
        )
    if settings.engine.get("otlp_traces_endpoint"):
        yield (
            "engine.otlp_traces_endpoint is set, and the local cluster has no DNS and no collector; remove "
            "it, or use a GKE stack."
        )


def _image(image: str | None, kind: str, placeholders: bool) -> Iterator[str]:
    if image is None:
        yield (
            f"image is not set and has no default on {kind}; set it to an image of Docker Hub with its "
            "digest, such as vllm/vllm-tpu:v0.32.0@sha256:…"
        )
    elif (problem := image_problem(image)) is not None:
        yield problem
    elif image.endswith(PLACEHOLDER_DIGEST) and not placeholders:
        yield (
            "image still has the placeholder digest of zeros, which `preview` takes and `up` does not; "
            f"replace what follows the @ by what `crane digest {image.partition('@')[0]}` prints."
        )


def _endpoint(settings: Settings, target: GkeTarget | TpuVmTarget, placeholders: bool) -> Iterator[str]:
    if target.endpoint is None:
        return
    if target.endpoint.exposure == "public" and settings.authentication == "none":
        yield (
            "target.endpoint.exposure is public and authentication is none, so anybody could use the TPU; "
            "set authentication to api-key or exposure to internal."
        )
    if target.endpoint.hostname.endswith("example.com") and not placeholders:
        yield (
            f"target.endpoint.hostname is still the placeholder {target.endpoint.hostname}, which `preview` "
            "takes and `up` does not; set it to a name in your zone."
        )
