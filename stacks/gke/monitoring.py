"""Monitoring of a GKE stack, whose metrics Managed Prometheus collects."""

from __future__ import annotations

import pulumi

from config.settings import Settings
from config.targets import ExistingCluster, GkeTarget
from serving.monitoring import google
from serving.monitoring.scope import Scope
from stacks.gcp.monitoring import Watched, monitoring
from stacks.plan import Plan


def cluster_name(target: GkeTarget) -> str:
    """Returns the cluster's name, as its metrics carry it."""
    if isinstance(target.cluster, ExistingCluster):
        return target.cluster.name
    return f"tpuserve-{pulumi.get_stack()}"


def cluster_monitoring(
    settings: Settings, target: GkeTarget, plan: Plan, namespace: str, opts: pulumi.ResourceOptions
) -> None:
    """Declares the monitoring of the servers in `namespace`."""
    cluster = cluster_name(target)
    log_alerts = [google.maintenance_announced(target.project, [target.zone])]
    if target.endpoint is not None:
        log_alerts.append(google.certificate_expires(target.project))
    watched = Watched(
        title=namespace,
        scope=Scope({"cluster": cluster, "namespace": namespace}, "pod"),
        alerts=[google.node_interrupted(cluster)],
        log_alerts=log_alerts,
    )
    monitoring(settings, plan, watched, opts)
