"""A managed group of TPU VMs that heals itself, with a boot that ends in a server that answers."""

from __future__ import annotations

from dataclasses import asdict, replace

import pulumi
import pulumi.runtime

from components.gcp.certificate import Certificate, CertificateArgs
from components.gcp.health_check import ServerCheck, ServerCheckArgs
from components.gcp.instance_group import InstanceGroup, InstanceGroupArgs
from components.gcp.instance_template import InstanceTemplate, InstanceTemplateArgs
from components.gcp.internal_load_balancer import InternalLoadBalancer, InternalLoadBalancerArgs
from components.gcp.provisioning import Purchase
from components.gcp.regional_instance_group import RegionalGroup, RegionalGroupArgs
from config.checks import problems, refuse
from config.provisioning import node_wait_seconds
from config.settings import Settings
from config.targets import Endpoint, TpuVmTarget
from serving.deploy import container_layout, vm_boot
from stacks import outputs
from stacks.gcp import common, stockout
from stacks.gcp.provisioning import purchase
from stacks.plan import Plan, plan
from stacks.tpu_vm import checks
from stacks.tpu_vm.access import Site, site
from stacks.tpu_vm.boot_metadata import (
    ATTRIBUTES,
    HEALTH_PERIOD_SECONDS,
    data_gb,
    digits,
    leave_seconds,
    metadata,
)

SYSTEM_GB = 30
"""Ubuntu, its packages and its logs; the accelerator image's own size is 10 GB."""

UNKNOWN_YET = ("subnetwork", "email")
"""Fields of the template that are outputs of the foundation."""


def build(settings: Settings, target: TpuVmTarget) -> None:
    """Declare the stack and its outputs."""
    refuse(problems(settings, placeholders=pulumi.runtime.is_dry_run()))
    assert settings.image is not None
    resolved = plan(settings, settings.image, node_wait_seconds(target.capacity))
    refuse(checks.too_slow(resolved.cold_start))
    refuse(checks.baked_cache_pages(target, resolved))
    here = site(target, pulumi.get_stack())
    bought = purchase(target.capacity)
    template, mark = _template(settings, target, resolved, here, bought)
    group_name = _group_name(settings, target, resolved, here, mark)
    group = _group(settings, target, resolved, here, bought, template.link, group_name)
    endpoint: pulumi.Input[str] = pulumi.Output.from_input(group_name).apply(
        lambda made: tunnel(target, made)
    )
    if target.endpoint is not None:
        endpoint = _load_balancer(here, target, target.endpoint, resolved, group)
    outputs.export(resolved, endpoint, target.region, target.capacity)
    pulumi.export("group", group_name)
    window = checks.WINDOW_SECONDS[target.capacity.kind]
    pulumi.export("shutdown", checks.shutdown(settings, leave_seconds(target), window))


def tunnel(target: TpuVmTarget, group: str) -> str:
    """How to reach a machine that has no load balancer."""
    where = f"--region={target.region}" if target.other_zones else f"--zone={target.zone}"
    # Zone and name as gcloud's own table of a group's instances has them.
    machine = (
        f"gcloud compute instance-groups managed list-instances {group} {where} --project={target.project} "
        "--limit=1 --format='value(instance.scope().segment(0),instance.basename())'"
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
    here: Site,
    bought: Purchase,
) -> tuple[InstanceTemplate, pulumi.Output[str]]:
    """The template, and the digits that name it: others when anything in it is another."""
    slice_ = resolved.candidate.accelerator
    assert slice_.machine_type is not None
    texts = metadata(settings, target, resolved, here.shared, vm_boot.data_disk() if target.keep_data else "")
    size = data_gb(resolved.candidate.model)
    args = InstanceTemplateArgs(
        template="",
        machine_type=slice_.machine_type,
        disk_type=slice_.disk_types[0],
        boot_disk_gb=SYSTEM_GB if target.keep_data else SYSTEM_GB + size,
        data_disk=vm_boot.DATA_DEVICE if target.keep_data else None,
        data_disk_gb=size,
        subnetwork=here.shared.subnetwork,
        email=here.email,
        purchase=bought,
        metadata={},
        labels=common.labels(),
    )
    plain = {key: value for key, value in vars(args).items() if key not in UNKNOWN_YET}
    plain["purchase"] = asdict(bought)
    unknown = pulumi.Output.all(texts, here.shared.subnetwork, here.email)
    mark = unknown.apply(lambda found: digits([plain, *found]))
    named = replace(
        args,
        template=mark.apply(lambda made: f"{here.name}-{made}"),
        metadata={key: texts[key] for key in ATTRIBUTES},
    )
    return InstanceTemplate("machine", named, here.opts), mark


def _group_name(
    settings: Settings, target: TpuVmTarget, resolved: Plan, here: Site, mark: pulumi.Output[str]
) -> pulumi.Input[str]:
    """The group's name, another one exactly when the group must be: it takes another template in place, but
    neither another zone nor, for the disks that it keeps, another size. What came by request takes nothing.
    """
    if target.capacity.kind == "flex-start":
        return mark.apply(lambda made: f"{here.name}-{digits([made, settings.replicas])}")
    place = [target.zone, *target.other_zones, data_gb(resolved.candidate.model) if target.keep_data else 0]
    return f"{here.name}-{digits(place)[:4]}"


def _group(
    settings: Settings,
    target: TpuVmTarget,
    resolved: Plan,
    here: Site,
    bought: Purchase,
    template: pulumi.Input[str],
    group: pulumi.Input[str],
) -> InstanceGroup | RegionalGroup:
    """The group, in one zone or in several, and the health check that it is judged by."""
    life = resolved.lifecycle
    check = ServerCheck(
        "check",
        ServerCheckArgs(
            check=f"{here.name}-alive",
            port=container_layout.PORT,
            period_seconds=life.liveness_period_seconds,
            failures=life.liveness_failure_threshold,
        ),
        here.opts,
    )
    # Google deletes no group that a load balancer uses.
    new_group_first = target.second_slice or target.endpoint is not None
    told = stockout.hook(target, resolved.candidate.accelerator, target.capacity)
    if target.other_zones:
        regional = RegionalGroupArgs(
            group=group,
            region=target.region,
            zones=(target.zone, *target.other_zones),
            template=template,
            check=check.id,
            size=settings.replicas,
            port=container_layout.PORT,
            initial_delay_seconds=resolved.cold_start.budget_seconds,
            wait_seconds=life.pulumi_timeout_seconds,
            second_slice=target.second_slice,
            new_group_first=new_group_first,
            on_error=told,
        )
        return RegionalGroup("vllm", regional, here.ready)
    zonal = InstanceGroupArgs(
        group=group,
        zone=target.zone,
        template=template,
        check=check.id,
        size=settings.replicas,
        port=container_layout.PORT,
        data_disk=vm_boot.DATA_DEVICE if target.keep_data else None,
        initial_delay_seconds=resolved.cold_start.budget_seconds,
        wait_seconds=life.pulumi_timeout_seconds,
        second_slice=target.second_slice,
        new_group_first=new_group_first,
        requested_run_seconds=bought.max_run_seconds,
        on_error=told,
    )
    return InstanceGroup("vllm", zonal, here.ready)


def _load_balancer(
    here: Site,
    target: TpuVmTarget,
    wanted: Endpoint,
    resolved: Plan,
    group: InstanceGroup | RegionalGroup,
) -> str:
    """Certificate and load balancer; returns the URL that clients use."""
    opts = pulumi.ResourceOptions(providers=[here.provider])
    certificate = Certificate(
        "certificate",
        CertificateArgs(certificate=here.name, region=target.region, hostname=wanted.hostname),
        opts,
    )
    balancer = InternalLoadBalancer(
        "balancer",
        InternalLoadBalancerArgs(
            balancer=here.name,
            region=target.region,
            network=here.shared.network,
            subnetwork=here.shared.subnetwork,
            instances=group.instances,
            certificate=certificate.id,
            port=container_layout.PORT,
            health_period_seconds=HEALTH_PERIOD_SECONDS,
            timeout_seconds=resolved.lifecycle.route_seconds,
            drain_seconds=resolved.lifecycle.route_drain_seconds,
        ),
        opts,
    )
    address = balancer.address.apply(lambda found: f"{wanted.hostname} A {found}")
    pulumi.export("dns_records", [address, certificate.dns_record])
    return f"https://{wanted.hostname}/v1"
