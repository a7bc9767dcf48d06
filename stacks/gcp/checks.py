"""What no stack with TPUs of Google may ask for, found before anything is asked of Google."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pulumi.runtime

from config.provisioning import FlexStart, Pool, ProvisioningFallback
from config.settings import Settings
from config.targets import GkeTarget, TpuVmTarget
from serving.hardware.accelerators import Accelerator
from serving.models.spec import ModelSpec
from stacks.gcp import common

DIGEST = re.compile(r"^[a-z0-9][a-z0-9._/-]*(:[\w.-]+)?@sha256:[0-9a-f]{64}$")
PLACEHOLDER_DIGEST = "0" * 64

# Where flex-start is documented for v6e (https://cloud.google.com/kubernetes-engine/docs/concepts/dws).
FLEX_START_ZONES = ("asia-northeast1-b", "us-east5-a", "us-east5-b")


def problems(
    settings: Settings, target: GkeTarget | TpuVmTarget, accelerator: Accelerator, model: ModelSpec
) -> Iterator[str]:
    """One sentence for each thing that could not work, all of them at once."""
    yield from common.placeholders(target.project)
    yield from _image(settings.image, target.kind)
    yield from _endpoint(settings, target)
    if accelerator.is_stand_in:
        yield (
            f"accelerator {accelerator.name} is a processor that plays a slice, which Google does not rent; "
            "set accelerator to v6e-4, or target.kind to local."
        )
    elif target.zone not in accelerator.zones:
        yield (
            f"target.zone is {target.zone}, which has no {accelerator.name}: there are "
            f"{', '.join(accelerator.zones)}; choose one of them."
        )
    for rung in _options(target):
        if isinstance(rung, FlexStart) and target.zone not in FLEX_START_ZONES:
            yield (
                f"target.capacity flex-start in {target.zone} is not offered: there are "
                f"{', '.join(FLEX_START_ZONES)}; choose one of them or another way to buy."
            )
    if model.revision == "local":
        yield (
            f"model {model.name} is made on the local machine and is in no repository; "
            "choose a model of the Gemma family."
        )
    elif settings.model_revision is None:
        yield (
            f"model_revision is not set, and what {model.hf_repo} holds may be another model tomorrow; set "
            f"it to a commit of https://huggingface.co/{model.hf_repo}/commits/main."
        )


def _image(image: str | None, kind: str) -> Iterator[str]:
    if image is None:
        yield (
            f"image is not set and has no default on {kind}; set it to an image of Docker Hub with its "
            "digest, such as vllm/vllm-tpu:v0.32.0@sha256:…"
        )
    elif not DIGEST.match(image):
        yield (
            f"image is {image}, which can be another image tomorrow; name it with its digest: "
            "`crane digest IMAGE` tells it."
        )
    elif image.endswith(PLACEHOLDER_DIGEST) and not pulumi.runtime.is_dry_run():
        yield (
            "image still has the placeholder digest of zeros, which `preview` takes and `up` does not; set "
            f"it to what `crane digest {image.partition('@')[0]}` tells."
        )


def _endpoint(settings: Settings, target: GkeTarget | TpuVmTarget) -> Iterator[str]:
    if target.endpoint is None:
        return
    if target.endpoint.exposure == "public" and settings.authentication == "none":
        yield (
            "target.endpoint.exposure is public and authentication is none, so anybody could use the TPU; "
            "set authentication to api-key or exposure to internal."
        )
    if target.endpoint.hostname.endswith("example.com") and not pulumi.runtime.is_dry_run():
        yield (
            f"target.endpoint.hostname is still the placeholder {target.endpoint.hostname}, which `preview` "
            "takes and `up` does not; set it to a name in a zone of yours."
        )


def _options(target: GkeTarget | TpuVmTarget) -> tuple[Pool, ...]:
    return target.capacity.rungs if isinstance(target.capacity, ProvisioningFallback) else (target.capacity,)
