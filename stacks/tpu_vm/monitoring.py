"""Monitoring of TPU VMs, whose collector sends the servers' metrics to Cloud Monitoring."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components.gcp.metrics_grant import MetricsGrant, MetricsGrantArgs
from config.settings import Settings
from config.targets import TpuVmTarget
from serving.deploy import collector
from serving.monitoring import google
from serving.monitoring.scope import Scope
from stacks.gcp.monitoring import Watched, monitoring
from stacks.plan import Plan
from stacks.tpu_vm.access import Access


def machine_monitoring(
    settings: Settings,
    target: TpuVmTarget,
    plan: Plan,
    access: Access,
    servers: Sequence[pulumi.Resource],
) -> None:
    """Declares the monitoring of a stack of machines. Its alerts wait for `servers`."""
    # Without the machines' protection, which no part of the monitoring needs.
    opts = pulumi.ResourceOptions(providers=[access.provider])
    if settings.monitoring.enabled:
        MetricsGrant("metrics", MetricsGrantArgs(project=target.project, email=access.email), opts)
    log_alerts = [google.maintenance_announced(target.project, [target.zone, *target.other_zones])]
    if target.endpoint is not None:
        log_alerts.append(google.certificate_expires(target.project))
    watched = Watched(
        title=access.name,
        scope=Scope({"cluster": collector.CLUSTER, "namespace": access.name}, "instance"),
        alerts=(),
        log_alerts=log_alerts,
    )
    later = pulumi.ResourceOptions(depends_on=list(servers))
    monitoring(settings, plan, watched, pulumi.ResourceOptions.merge(opts, later))
