"""Managed group of TPU VMs. Google recreates failed machines; `pulumi up` waits until the servers are
accepted."""

from __future__ import annotations

from dataclasses import asdict

import pulumi
import pulumi.runtime

from components.gcp.certificate import Certificate, CertificateArgs
from components.gcp.group_rollout import RolloutArgs
from components.gcp.health_check import ServerCheck, ServerCheckArgs
from components.gcp.instance_group import InstanceGroup, InstanceGroupArgs
from components.gcp.instance_template import InstanceTemplate, InstanceTemplateArgs
from components.gcp.internal_load_balancer import InternalLoadBalancer, InternalLoadBalancerArgs
from components.gcp.provisioning import Provisioning
from components.gcp.regional_instance_group import RegionalGroup, RegionalGroupArgs
from config.checks import problems, refuse
from config.settings import Settings
from config.targets import Endpoint, TpuVmTarget
from serving.deploy import container_layout, vm_boot
from serving.hardware.machines import vm_boot_gb, vm_data_gb
from stacks import outputs
from stacks.gcp import common, stockout
from stacks.gcp.provisioning import provisioning
from stacks.plan import Plan, plan
from stacks.tpu_vm import checks
from stacks.tpu_vm.access import Access, access
from stacks.tpu_vm.boot_metadata import (
    ATTRIBUTES,
    HEALTH_PERIOD_SECONDS,
    SIDECAR,
    content_digest,
    identity,
    leave_seconds,
    metadata,
    serve_seconds,
)
from stacks.tpu_vm.monitoring import machine_monitoring


def build(settings: Settings, target: TpuVmTarget) -> None:
    """Declares the stack and its outputs. Raises ValueError for settings that could not work."""
    refuse(problems(settings, placeholders=pulumi.runtime.is_dry_run()))
    image = settings.image_name
    assert image is not None
    resolved = plan(settings, image)
    refuse(checks.slow_boots(serve_seconds(resolved)))
    refuse(checks.baked_cache_problems(settings, target, resolved))
    stack_access = access(target, pulumi.get_stack(), image)
    provisioned = provisioning(target.capacity)
    template, digest = _template(settings, target, resolved, stack_access, provisioned)
    group_name = _group_name(settings, target, resolved, stack_access, digest)
    group = _group(settings, target, resolved, stack_access, provisioned, template.link, group_name)
    endpoint: pulumi.Input[str] = pulumi.Output.from_input(group_name).apply(
        lambda name: tunnel(target, name)
    )
    if target.endpoint is not None:
        endpoint = _load_balancer(stack_access, target, target.endpoint, resolved, group)
    machine_monitoring(settings, target, resolved, stack_access, [group])
    outputs.export(settings, resolved, endpoint)
    pulumi.export("group", group_name)
    window_seconds = checks.STOP_SECONDS[target.capacity.kind]
    pulumi.export("shutdown", checks.shutdown(settings, leave_seconds(target), window_seconds))


def tunnel(target: TpuVmTarget, group: str) -> str:
    """Returns the commands that reach a machine of the group without a load balancer."""
    location = f"--region={target.region}" if target.other_zones else f"--zone={target.zone}"
    # The projection takes zone and name from each instance, like gcloud's own table.
    machine = (
        f"gcloud compute instance-groups managed list-instances {group} {location} "
        f"--project={target.project} --limit=1 "
        "--format='value(instance.scope().segment(0),instance.basename())'"
    )
    return (
        f"http://localhost:{container_layout.PORT}/v1 while this runs: {machine} | {{ read -r zone name; "
        f"gcloud compute start-iap-tunnel $name {container_layout.PORT} "
        f"--local-host-port=localhost:{container_layout.PORT} --zone=$zone --project={target.project}; }}"
    )


def _template(
    settings: Settings,
    target: TpuVmTarget,
    resolved: Plan,
    stack_access: Access,
    provisioned: Provisioning,
) -> tuple[InstanceTemplate, pulumi.Output[str]]:
    """Returns the template, and the digest of its content that its name ends in."""
    slice_ = resolved.candidate.accelerator
    assert slice_.machine_type is not None
    foundation, email = stack_access.foundation, stack_access.email
    disk_path = vm_boot.data_disk() if target.keep_data else ""
    texts = metadata(settings, target, resolved, stack_access, disk_path)
    weight_bytes = resolved.candidate.model.weight_bytes
    size_gb = vm_data_gb(weight_bytes)
    machine_type, disk_type = slice_.machine_type, slice_.disk_types[0]
    boot_disk_gb = vm_boot_gb(weight_bytes, data_disk=target.keep_data)
    data_disk = vm_boot.DATA_DEVICE if target.keep_data else None
    labels = common.labels()
    # The keys are part of the digest and so of the template's physical name: a changed key would replace
    # every template and its machines.
    content = {
        "template": "",
        "machine_type": machine_type,
        "disk_type": disk_type,
        "boot_disk_gb": boot_disk_gb,
        "data_disk": data_disk,
        "data_disk_gb": size_gb,
        "purchase": {
            "way": provisioned.model,
            "reservation": asdict(provisioned.reservation) if provisioned.reservation else None,
            "max_run_seconds": provisioned.max_run_seconds,
        },
        "metadata": {},
        "labels": labels,
    }
    digest = pulumi.Output.all(texts, foundation.subnetwork, email).apply(
        lambda values: content_digest([content, identity(values[0], settings, resolved), *values[1:]])
    )
    args = InstanceTemplateArgs(
        template=digest.apply(lambda digits: f"{stack_access.name}-{digits}-"),
        machine_type=machine_type,
        disk_type=disk_type,
        boot_disk_gb=boot_disk_gb,
        data_disk=data_disk,
        data_disk_gb=size_gb,
        subnetwork=foundation.subnetwork,
        email=email,
        provisioning=provisioned,
        metadata={key: texts[key] for key in ATTRIBUTES},
        ignored_metadata=SIDECAR,
        labels=labels,
    )
    return InstanceTemplate("machine", args, stack_access.opts), digest


def _group_name(
    settings: Settings,
    target: TpuVmTarget,
    resolved: Plan,
    stack_access: Access,
    template_digest: pulumi.Output[str],
) -> pulumi.Input[str]:
    """Returns the group's name, which changes exactly when Google cannot change the group in place.

    A group accepts a new template. It accepts neither other zones nor a new size of the disks that it keeps.
    A flex-start group accepts no change at all.
    """
    if target.capacity.kind == "flex-start":
        return template_digest.apply(
            lambda digits: f"{stack_access.name}-{content_digest([digits, settings.replicas])}"
        )
    kept_gb = vm_data_gb(resolved.candidate.model.weight_bytes) if target.keep_data else 0
    fixed = [target.zone, *target.other_zones, kept_gb]
    return f"{stack_access.name}-{content_digest(fixed)[:4]}"


def _group(
    settings: Settings,
    target: TpuVmTarget,
    resolved: Plan,
    stack_access: Access,
    provisioned: Provisioning,
    template: pulumi.Input[str],
    group: pulumi.Input[str],
) -> InstanceGroup | RegionalGroup:
    """Returns the group, in one zone or in several, with its health check."""
    lifecycle = resolved.lifecycle
    check = ServerCheck(
        "check",
        ServerCheckArgs(
            check=f"{stack_access.name}-ready",
            port=container_layout.PORT,
            period_seconds=lifecycle.liveness_period_seconds,
            failures=lifecycle.liveness_failure_threshold,
        ),
        stack_access.opts,
    )
    rollout = RolloutArgs(
        group=group,
        template=template,
        health_check=check.id,
        size=settings.replicas,
        port=container_layout.PORT,
        initial_delay_seconds=serve_seconds(resolved),
        wait_seconds=lifecycle.rollout_seconds(1),
        surge=settings.rollout.surge,
        # Google deletes no group that a load balancer uses.
        new_group_first=settings.rollout.surge == 1 or target.endpoint is not None,
        on_error=stockout.hook(target, resolved.candidate.accelerator, target.capacity),
    )
    if target.other_zones:
        zones = (target.zone, *target.other_zones)
        regional = RegionalGroupArgs(rollout=rollout, region=target.region, zones=zones)
        return RegionalGroup("vllm", regional, stack_access.ready)
    zonal = InstanceGroupArgs(
        rollout=rollout,
        zone=target.zone,
        data_disk=vm_boot.DATA_DEVICE if target.keep_data else None,
        requested_run_seconds=provisioned.max_run_seconds,
    )
    return InstanceGroup("vllm", zonal, stack_access.ready)


def _load_balancer(
    stack_access: Access,
    target: TpuVmTarget,
    endpoint: Endpoint,
    resolved: Plan,
    group: InstanceGroup | RegionalGroup,
) -> str:
    """Declares certificate and load balancer, and returns the URL that clients use."""
    opts = pulumi.ResourceOptions(providers=[stack_access.provider])
    certificate = Certificate(
        "certificate",
        CertificateArgs(certificate=stack_access.name, region=target.region, hostname=endpoint.hostname),
        opts,
    )
    balancer = InternalLoadBalancer(
        "balancer",
        InternalLoadBalancerArgs(
            balancer=stack_access.name,
            region=target.region,
            network=stack_access.foundation.network,
            subnetwork=stack_access.foundation.subnetwork,
            instances=group.instances,
            certificate=certificate.id,
            port=container_layout.PORT,
            health_period_seconds=HEALTH_PERIOD_SECONDS,
            timeout_seconds=resolved.lifecycle.route_seconds,
            drain_seconds=resolved.lifecycle.route_drain_seconds,
        ),
        opts,
    )
    address_record = balancer.address.apply(lambda address: f"{endpoint.hostname} A {address}")
    pulumi.export("dns_records", [address_record, certificate.dns_record])
    return f"https://{endpoint.hostname}/v1"
