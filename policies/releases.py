"""Rules on releases. Each rule yields one sentence for each violation."""

from collections.abc import Iterator, Sequence
from typing import Any

from policies.kubernetes import DEPLOYMENT
from policies.resource import Resource, Unknown, strings
from policies.tpu_vm import CLOUD_TPU, TEMPLATE

PLACEHOLDER_DIGEST = "@sha256:" + "0" * 64
"""Digest of the image in the delivered stack files, which `up` does not take (config/checks.py)."""

# Written by components/kubernetes/vllm.py, and by stacks/tpu_vm/boot_metadata.py.
ANNOTATION = "tpuserve/accepted"
ATTRIBUTE = "metadata.tpuserve-accepted"


def accepted_release(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    """Yields the servers of a protected stack whose release no server has accepted.

    A stack that may not be deleted by accident must not change to something that nobody has tried either.
    Delivered stack files have a placeholder for the image, so nothing can be accepted or deployed yet.
    """
    if not any(resource.protect for resource in resources):
        return
    for resource in resources:
        accepted = _accepted(resource)
        if isinstance(accepted, Unknown) or accepted in (None, "true") or _is_placeholder(resource):
            continue
        yield (
            resource,
            "runs a release that no server has accepted, but its stack is protected; name an accepted one "
            "with `make promote` (docs/operations.md, Records of releases, says how a first stack starts)",
        )


def _accepted(resource: Resource) -> Any:
    """Returns the mark of a server's resource; None for any other, and for one without inputs."""
    if resource.kind == DEPLOYMENT:
        annotations = resource.at("metadata.annotations")
        return annotations if isinstance(annotations, Unknown) else (annotations or {}).get(ANNOTATION)
    return resource.at(ATTRIBUTE) if resource.kind in (TEMPLATE, CLOUD_TPU) else None


def _is_placeholder(resource: Resource) -> bool:
    return any(PLACEHOLDER_DIGEST in text for _, text in strings(resource.inputs))
