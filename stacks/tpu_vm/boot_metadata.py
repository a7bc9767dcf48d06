"""Metadata of a TPU VM: the boot script, and the files that the script writes."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import replace

import pulumi

from agent import bundle, vm
from config.settings import Checkpoint, Settings
from config.targets import TpuVmTarget
from serving.deploy import baked_cache, compose, container_layout, systemd_units, vm_boot
from serving.deploy.vm_boot import Boot
from serving.hardware import host_resources
from serving.models.checkpoint import expectation
from serving.models.spec import ModelSpec
from stacks.gcp.foundation_outputs import Foundation
from stacks.gcp.server_image import pull_name
from stacks.plan import Plan

ATTRIBUTES = ("startup-script", "tpuserve-files", "tpuserve-boot-seconds", "tpuserve-disk-gb")

DISK_MARGIN = 1.3
"""Assumed: factor for unpacking an image, for logs, and for the file system."""

HEALTH_PERIOD_SECONDS = 2
"""Seconds between two probes of the load balancer. It removes a stopping machine after two failed probes. A
preempted machine has only 30 seconds."""


def data_gb(spec: ModelSpec) -> int:
    """Returns the size in GB of a disk for weights, image and compile cache."""
    return math.ceil(host_resources.needs(spec.weight_bytes).disk_bytes * DISK_MARGIN / 1e9)


def leave_seconds(target: TpuVmTarget) -> int:
    """Returns the seconds that a stopping machine accepts requests, until a load balancer has removed it."""
    return 2 * HEALTH_PERIOD_SECONDS + 1 if target.endpoint is not None else 0


def metadata(
    settings: Settings, target: TpuVmTarget, resolved: Plan, foundation: Foundation, disk: str
) -> pulumi.Output[Mapping[str, str]]:
    """Returns `boot_metadata` with the values that come from the foundation's outputs."""
    return pulumi.Output.all(
        image=pull_name(resolved.release.image, foundation),
        bucket=foundation.bucket,
        secret=foundation.environments[pulumi.get_stack()].api_key_secret,
    ).apply(lambda values: boot_metadata(settings, target, resolved, disk=disk, **values))


def content_digest(content: object) -> str:
    """Returns eight hexadecimal digits of the SHA-256 of a JSON value."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]


def boot_metadata(
    settings: Settings,
    target: TpuVmTarget,
    resolved: Plan,
    *,
    disk: str,
    image: str,
    bucket: str,
    secret: str,
) -> Mapping[str, str]:
    """Returns the text of each metadata attribute in ATTRIBUTES.

    `disk` is the data disk's path on the machine, empty without a data disk. `image` is the name that the
    machine pulls. `secret` is the name of the API key's secret, without its project.
    """
    release = replace(resolved.release, image=image)
    spec, longest = resolved.candidate.model, resolved.candidate.engine.max_model_len
    needs_key = settings.authentication == "api-key"
    secret_version = f"projects/{target.project}/secrets/{secret}/versions/latest"
    script = vm_boot.script(
        Boot(
            release=resolved.release.name,
            image=release.image,
            disk=disk,
            secret=secret_version if needs_key else "",
            bucket=bucket,
            model=spec.name,
            weights=f"weights/{spec.revision}/{spec.name}/",
            checkpoint=expectation(spec, longest) if isinstance(settings.model, Checkpoint) else "",
            cache=f"{container_layout.CACHE_ARCHIVES}{resolved.fingerprint.digest}.tar.zst",
            baked=baked_cache.name(resolved.fingerprint) if target.baked_cache else "",
            budget=resolved.lifecycle.engine_ready_timeout_seconds,
        )
    )
    files = {
        "compose.yaml": compose.compose(release, resolved.lifecycle),
        "vllm.env": compose.env_file(dict(release.environment)),
        **systemd_units.units(resolved.release.name, resolved.lifecycle, leave_seconds(target)),
        **{f"agent/{path}": text for path, text in bundle.files().items()},
        **{f"boot/{path}": text for path, text in vm.files().items()},
    }
    return {
        "startup-script": script,
        "tpuserve-files": json.dumps(files, sort_keys=True),
        # For operators, and for the policies that compare them with the group and the disks.
        "tpuserve-boot-seconds": str(resolved.cold_start.budget_seconds),
        "tpuserve-disk-gb": str(math.ceil(host_resources.needs(spec.weight_bytes).disk_bytes / 1e9)),
    }
