"""A serving stack of TPU VMs: a group that heals itself, and a boot that ends in a server that answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pulumi
import pulumi_gcp as gcp

from components.certificate import Certificate, CertificateArgs
from components.image_pull import ImagePull, ImagePullArgs
from components.instance_group import InstanceGroup, InstanceGroupArgs
from components.instance_template import InstanceTemplate, InstanceTemplateArgs
from components.internal_load_balancer import InternalLoadBalancer, InternalLoadBalancerArgs
from components.machine_firewall import MachineFirewall, MachineFirewallArgs
from components.purchase import Purchase
from serving import boot, layout
from serving.accelerators import accelerator
from serving.models import model
from stacks import cloud_tpu, google, outputs, stockout, tpu_vm_checks
from stacks.capacity import node_wait_seconds
from stacks.gke_nodes import purchase
from stacks.plan import Plan, plan
from stacks.settings import Settings
from stacks.shared import Foundation
from stacks.targets import Endpoint, TpuVmTarget
from stacks.tpu_vm_boot import ATTRIBUTES, HEALTH_PERIOD_SECONDS, data_gb, digits, leave_seconds, metadata

SYSTEM_GB = 30
"""Ubuntu, its packages and its logs; the accelerator image's own size is 10 GB."""

UNKNOWN_YET = ("subnetwork", "email")
"""Fields of the template that are outputs of the foundation."""


def build(settings: Settings, target: TpuVmTarget) -> None:
    """Declare the stack and its outputs."""
    if target.api == "cloud-tpu":
        cloud_tpu.build(settings, target)
        return
    google.refuse(
        tpu_vm_checks.problems(
            settings, target, accelerator(settings.accelerator), model(settings.model_name)
        )
    )
    assert settings.image is not None
    resolved = plan(settings, settings.image, node_wait_seconds(target.capacity))
    google.refuse(tpu_vm_checks.too_slow(resolved.cold_start))
    stack = pulumi.get_stack()
    name = f"tpuserve-{stack}"
    provider = google.provider(target.project, target.region)
    opts = pulumi.ResourceOptions(providers=[provider], protect=target.protect)
    shared = Foundation.read(target.foundation, stack, target.region)
    email = shared.environments[stack].server_email

    clients: dict[str, Sequence[pulumi.Input[str]]] = {}
    if target.clients:
        clients["clients"] = target.clients
    if target.endpoint is not None:
        clients["balancer"] = [shared.proxies]
    doors = MachineFirewall(
        "firewall",
        MachineFirewallArgs(
            prefix=name, network=shared.network, email=email, port=layout.PORT, clients=clients
        ),
        opts,
    )
    pull = ImagePull(
        "image", ImagePullArgs(region=target.region, image_prefix=shared.image_prefix, email=email), opts
    )
    bought = purchase(target.capacity)
    template, mark = _template(settings, target, resolved, shared, bought, opts)
    # Without its doors a group would never be stable: its health checks could not reach it.
    group = InstanceGroup(
        "vllm",
        _group(settings, target, resolved, bought, template.link, mark),
        pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[doors, pull])),
    )
    endpoint: pulumi.Input[str] = mark.apply(lambda made: tunnel(target, f"{name}-{made}"))
    if target.endpoint is not None:
        endpoint = _door(name, target, target.endpoint, settings, resolved, shared, group, provider)
    outputs.export(resolved, endpoint, target.region, target.capacity)
    pulumi.export("group", mark.apply(lambda made: f"{name}-{made}"))
    window = tpu_vm_checks.WINDOW_SECONDS[target.capacity.kind]
    pulumi.export("shutdown", tpu_vm_checks.shutdown(settings, leave_seconds(target), window))


def tunnel(target: TpuVmTarget, group: str) -> str:
    """How to reach a machine that has no load balancer."""
    where = f"--zone={target.zone} --project={target.project}"
    instance = (
        f"$(gcloud compute instance-groups managed list-instances {group} {where} --format='value(NAME)')"
    )
    return (
        f"http://localhost:{layout.PORT}/v1 while this runs: gcloud compute start-iap-tunnel {instance} "
        f"{layout.PORT} --local-host-port=localhost:{layout.PORT} {where}"
    )


def _template(
    settings: Settings,
    target: TpuVmTarget,
    resolved: Plan,
    shared: Foundation,
    bought: Purchase,
    opts: pulumi.ResourceOptions,
) -> tuple[InstanceTemplate, pulumi.Output[str]]:
    """The template, and the digits that name it and its group: others when anything in it is another."""
    slice_, stack = resolved.accelerator, pulumi.get_stack()
    assert slice_.machine_type is not None
    email = shared.environments[stack].server_email
    texts = metadata(settings, target, resolved, shared, boot.data_disk() if target.keep_data else "")
    size = data_gb(resolved.model)
    args = InstanceTemplateArgs(
        template="",
        machine_type=slice_.machine_type,
        disk_type=slice_.disk_types[0],
        boot_disk_gb=SYSTEM_GB if target.keep_data else SYSTEM_GB + size,
        data_disk=boot.DATA_DEVICE if target.keep_data else None,
        data_disk_gb=size,
        subnetwork=shared.subnetwork,
        email=email,
        purchase=bought,
        metadata={},
        labels=google.labels(),
    )
    plain = {key: value for key, value in vars(args).items() if key not in UNKNOWN_YET}
    plain["purchase"] = vars(bought)
    mark = pulumi.Output.all(texts, shared.subnetwork, email).apply(lambda found: digits([plain, *found]))
    named = replace(
        args,
        template=mark.apply(lambda made: f"tpuserve-{stack}-{made}"),
        metadata={key: texts[key] for key in ATTRIBUTES},
    )
    return InstanceTemplate("machine", named, opts), mark


def _group(
    settings: Settings,
    target: TpuVmTarget,
    resolved: Plan,
    bought: Purchase,
    template: pulumi.Input[str],
    mark: pulumi.Output[str],
) -> InstanceGroupArgs:
    stack, life = pulumi.get_stack(), resolved.lifecycle
    return InstanceGroupArgs(
        group=mark.apply(lambda made: f"tpuserve-{stack}-{made}"),
        health_check=f"tpuserve-{stack}-alive",
        zone=target.zone,
        template=template,
        size=settings.replicas,
        port=layout.PORT,
        data_disk=boot.DATA_DEVICE if target.keep_data else None,
        initial_delay_seconds=resolved.cold_start.budget_seconds,
        liveness_period_seconds=life.liveness_period_seconds,
        liveness_failures=life.liveness_failure_threshold,
        wait_seconds=life.pulumi_timeout_seconds,
        second_slice=target.second_slice,
        requested_run_seconds=bought.max_run_seconds,
        on_error=stockout.hook(target, resolved.accelerator, target.capacity),
    )


def _door(
    name: str,
    target: TpuVmTarget,
    wanted: Endpoint,
    settings: Settings,
    resolved: Plan,
    shared: Foundation,
    group: InstanceGroup,
    provider: gcp.Provider,
) -> str:
    """Certificate and load balancer; returns the URL that clients use."""
    opts = pulumi.ResourceOptions(providers=[provider])
    certificate = Certificate(
        "certificate",
        CertificateArgs(certificate=name, region=target.region, hostname=wanted.hostname),
        opts,
    )
    balancer = InternalLoadBalancer(
        "balancer",
        InternalLoadBalancerArgs(
            balancer=name,
            region=target.region,
            network=shared.network,
            subnetwork=shared.subnetwork,
            instances=group.instances,
            certificate=certificate.id,
            port=layout.PORT,
            health_period_seconds=HEALTH_PERIOD_SECONDS,
            timeout_seconds=settings.longest_request_seconds,
            drain_seconds=resolved.lifecycle.drain_seconds,
        ),
        opts,
    )
    address = balancer.address.apply(lambda found: f"{wanted.hostname} A {found}")
    pulumi.export("dns_records", [address, certificate.dns_record])
    return f"https://{wanted.hostname}/v1"
