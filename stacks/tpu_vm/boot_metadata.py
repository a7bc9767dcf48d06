"""What a TPU VM's metadata holds: the script, and the files that it lays out."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import replace

import pulumi

from agent import bundle, vm
from config.settings import Settings
from config.targets import TpuVmTarget
from serving.deploy import baked_cache, compose, container_layout, systemd_units, vm_boot
from serving.deploy.vm_boot import Boot
from serving.hardware import host_resources
from serving.models.spec import ModelSpec
from stacks.gcp.foundation_outputs import Foundation
from stacks.plan import Plan

ATTRIBUTES = ("startup-script", "tpuserve-files", "tpuserve-boot-seconds", "tpuserve-disk-gb")

# Room to unpack an image beside itself, for logs, and for the file system.
DISK_MARGIN = 1.3

HEALTH_PERIOD_SECONDS = 2
"""The load balancer leaves a machine that is about to stop after two of them: 30 seconds are all that a
preempted machine has."""


def data_gb(spec: ModelSpec) -> int:
    """Size of the disk that holds weights, image and compile cache."""
    return math.ceil(host_resources.needs(spec.weight_bytes).disk_bytes * DISK_MARGIN / 1e9)


def leave_seconds(target: TpuVmTarget) -> int:
    """How long a stopping machine goes on taking requests: until the load balancer, if any, has left."""
    return 2 * HEALTH_PERIOD_SECONDS + 1 if target.endpoint is not None else 0


def metadata(
    settings: Settings, target: TpuVmTarget, resolved: Plan, shared: Foundation, disk: str
) -> pulumi.Output[Mapping[str, str]]:
    """`boot_metadata` with what the foundation tells."""
    return pulumi.Output.all(
        prefix=shared.image_prefix,
        bucket=shared.bucket,
        secret=shared.environments[pulumi.get_stack()].api_key_secret,
    ).apply(lambda found: boot_metadata(settings, target, resolved, disk=disk, **found))


def digits(content: object) -> str:
    """Eight hexadecimal digits of a JSON value."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]


def boot_metadata(
    settings: Settings,
    target: TpuVmTarget,
    resolved: Plan,
    *,
    disk: str,
    prefix: str,
    bucket: str,
    secret: str,
) -> Mapping[str, str]:
    """The attributes that make a machine boot, by name. `disk` is the data disk's path, empty without one."""
    release = replace(resolved.release, image=f"{prefix}/{resolved.release.image}")
    spec = resolved.candidate.model
    keyed = settings.authentication == "api-key"
    version = f"projects/{target.project}/secrets/{secret}/versions/latest"
    script = vm_boot.script(
        Boot(
            release=resolved.release.name,
            image=release.image,
            disk=disk,
            secret=version if keyed else "",
            bucket=bucket,
            model=spec.name,
            weights=f"weights/{spec.revision}/{spec.name}/",
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
        # For people, and for the policies that compare them with the group and the disks.
        "tpuserve-boot-seconds": str(resolved.cold_start.budget_seconds),
        "tpuserve-disk-gb": str(math.ceil(host_resources.needs(spec.weight_bytes).disk_bytes / 1e9)),
    }
