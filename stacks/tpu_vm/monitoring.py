"""Monitoring of TPU VMs: what Google reports. Nothing collects the servers' metrics for Cloud Monitoring."""

from __future__ import annotations

import pulumi

from config.settings import Settings
from config.targets import TpuVmTarget
from serving.monitoring import google
from stacks.gcp.monitoring import Watched, monitoring
from stacks.plan import Plan
from stacks.tpu_vm.access import Access


def machine_monitoring(settings: Settings, target: TpuVmTarget, plan: Plan, access: Access) -> None:
    """Declares the monitoring of a stack of machines."""
    log_alerts = [google.maintenance_announced(target.project, [target.zone, *target.other_zones])]
    if target.endpoint is not None:
        log_alerts.append(google.certificate_expires(target.project))
    watched = Watched(title=access.name, scope=None, alerts=(), log_alerts=log_alerts)
    # Without the machines' protection, which a policy does not need.
    monitoring(settings, plan, watched, pulumi.ResourceOptions(providers=[access.provider]))
