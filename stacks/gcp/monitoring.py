"""Monitoring of a serving stack in Cloud Monitoring: alerts, objectives, dashboard and budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.gcp.alert_policies import AlertPolicies, AlertPoliciesArgs
from components.gcp.budget import StackBudget, StackBudgetArgs
from components.gcp.dashboard import Dashboard, DashboardArgs
from components.gcp.objectives import Objectives, ObjectivesArgs
from components.gcp.project_services import Apis, ApisArgs
from config.monitoring_limits import stack_objectives, thresholds
from config.settings import Settings
from serving.monitoring import alerts, cloud_dashboard, panels
from serving.monitoring.alerts import Alert
from serving.monitoring.google import LogAlert
from serving.monitoring.scope import Scope
from stacks.gcp import common
from stacks.plan import Plan


@dataclass(frozen=True, kw_only=True)
class Watched:
    """Servers of one stack, and what Google reports beside their metrics."""

    title: str
    """Name of the stack's cluster or group."""
    scope: Scope
    """Selection of their metrics."""
    alerts: Sequence[Alert]
    """Alerts on Google's own metrics."""
    log_alerts: Sequence[LogAlert]


def monitoring(settings: Settings, plan: Plan, watched: Watched, opts: pulumi.ResourceOptions) -> None:
    """Declares everything if the stack file switches it on."""
    asked = settings.monitoring
    if not asked.enabled:
        return
    limits = thresholds(settings, plan.candidate.engine, plan.memory, plan.lifecycle)
    AlertPolicies(
        "alerts",
        AlertPoliciesArgs(
            title=watched.title,
            alerts=[*alerts.alerts(limits, watched.scope), *watched.alerts],
            log_alerts=watched.log_alerts,
            channels=asked.channels,
            labels=common.labels(),
        ),
        opts,
    )
    _metrics(settings, watched.title, watched.scope, opts)
    if asked.budget is not None:
        api = Apis("budget-api", ApisArgs(services=["billingbudgets.googleapis.com"]), opts)
        StackBudget(
            "budget",
            StackBudgetArgs(
                title=watched.title,
                billing_account=asked.budget.billing_account,
                monthly=asked.budget.monthly,
                stack=pulumi.get_stack(),
                channels=asked.channels,
            ),
            pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[api])),
        )


def _metrics(settings: Settings, title: str, scope: Scope, opts: pulumi.ResourceOptions) -> None:
    """Declares objectives and dashboard over the metrics of the servers."""
    Objectives(
        "objectives",
        ObjectivesArgs(
            service=title,
            objectives=stack_objectives(settings),
            scope=scope,
            channels=settings.monitoring.channels,
            labels=common.labels(),
        ),
        opts,
    )
    content = cloud_dashboard.dashboard(title, panels.panels(scope))
    pulumi.export("dashboard", Dashboard("dashboard", DashboardArgs(content=content), opts).id)
