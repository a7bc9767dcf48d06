"""Metadata of a TPU VM: the boot script, and the files that the script writes."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import replace

import pulumi

from agent import vm
from config.settings import Checkpoint, Settings
from config.targets import TpuVmTarget
from serving.deploy import collector, compose, container_layout, systemd_units, vm_boot
from serving.deploy.vm_boot import Boot
from serving.hardware import host_resources
from serving.models.checkpoint import expectation
from serving.models.spec import ModelSpec
from stacks import sidecar_settings
from stacks.gcp.server_image import pull_name
from stacks.plan import Plan
from stacks.tpu_vm.access import Access

SIDECAR = "tpuserve-sidecar"
"""Attribute with the sidecar's settings. They name the commit that brought the release, and a later commit
that changes nothing else must replace no machine: changes of only this attribute are ignored."""

ATTRIBUTES = (
    "startup-script",
    "tpuserve-files",
    "tpuserve-agent",
    SIDECAR,
    "tpuserve-boot-seconds",
    "tpuserve-disk-gb",
    "tpuserve-accepted",
)

HEALTH_PERIOD_SECONDS = 2
"""Seconds between two probes of the load balancer. It removes a stopping machine after two failed probes. A
preempted machine has only 30 seconds."""


def weights_prefix(spec: ModelSpec) -> str:
    """Returns the prefix of the weights' objects in the artifact bucket, with its final slash."""
    return f"{container_layout.WEIGHTS}{spec.revision}/{spec.name}/"


def leave_seconds(target: TpuVmTarget) -> int:
    """Returns the seconds that a stopping machine accepts requests, until a load balancer has removed it."""
    return 2 * HEALTH_PERIOD_SECONDS + 1 if target.endpoint is not None else 0


def metadata(
    settings: Settings, target: TpuVmTarget, resolved: Plan, access: Access, disk: str
) -> pulumi.Output[Mapping[str, str]]:
    """Returns `boot_metadata` with the values that come from the foundation's outputs."""
    name, foundation = access.name, access.foundation
    return pulumi.Output.all(
        image=pull_name(resolved.release.image, foundation),
        bucket=foundation.bucket,
        secret=foundation.environments[pulumi.get_stack()].api_key_secret,
    ).apply(lambda values: boot_metadata(settings, target, resolved, name=name, disk=disk, **values))


def content_digest(content: object) -> str:
    """Returns eight hexadecimal digits of the SHA-256 of a JSON value."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]


def identity(texts: Mapping[str, str], settings: Settings, resolved: Plan) -> Mapping[str, str]:
    """Returns what a machine's name depends on: its metadata without the commit."""
    return {**texts, SIDECAR: sidecar_settings.digest(settings, resolved)}


def serve_seconds(resolved: Plan) -> int:
    """Returns the seconds from a machine's start to the end of its acceptance, at most."""
    return resolved.cold_start.budget_seconds + resolved.lifecycle.acceptance_seconds


def boot_metadata(
    settings: Settings,
    target: TpuVmTarget,
    resolved: Plan,
    *,
    name: str,
    disk: str,
    image: str,
    bucket: str,
    secret: str,
) -> Mapping[str, str]:
    """Returns the text of each metadata attribute in ATTRIBUTES.

    `name` is the label `namespace` of the servers' metrics. `disk` is the data disk's path on the machine,
    empty without a data disk. `image` is the name that the machine pulls. `secret` is the name of the API
    key's secret, without its project.
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
            weights=weights_prefix(spec),
            checkpoint=expectation(spec, longest) if isinstance(settings.model, Checkpoint) else "",
            budget=resolved.lifecycle.engine_ready_timeout_seconds,
            # The sidecar has a period of its own to notice that the server answers.
            acceptance=resolved.lifecycle.acceptance_seconds + resolved.lifecycle.startup_period_seconds,
        )
    )
    collected = settings.monitoring.enabled
    files = {
        "compose.yaml": compose.compose(release, resolved.lifecycle, sidecar=True, collected=collected),
        "vllm.env": compose.env_file(resolved.environment),
        **systemd_units.units(
            resolved.release.name, resolved.lifecycle, leave_seconds(target), collected=collected
        ),
        **{f"boot/{path}": text for path, text in vm.files().items()},
    }
    if collected:
        files[collector.CONFIG] = collector.config(resolved.release.name, name)
    agent = {f"agent/{path}": text for path, text in resolved.agent_files.items()}
    key_secret = f"projects/{target.project}/secrets/{secret}" if needs_key else None
    sidecar = sidecar_settings.sidecar_settings(
        settings, resolved, bucket, sidecar_settings.commit(), key_secret
    )
    return {
        "startup-script": script,
        "tpuserve-files": json.dumps(files, sort_keys=True),
        "tpuserve-agent": json.dumps(agent, sort_keys=True),
        SIDECAR: json.dumps({compose.SIDECAR_SETTINGS: sidecar_settings.text(sidecar)}),
        # For operators, and for the policies that compare them with the group and the disks.
        "tpuserve-accepted": str(resolved.accepted).lower(),
        "tpuserve-boot-seconds": str(serve_seconds(resolved)),
        "tpuserve-disk-gb": str(math.ceil(host_resources.needs(spec.weight_bytes).disk_bytes / 1e9)),
    }
