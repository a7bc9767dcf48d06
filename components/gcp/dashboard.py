"""Dashboard of Cloud Monitoring."""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True)
class DashboardArgs:
    """Arguments of the dashboard. `content` is JSON of the Dashboards API."""

    content: str


class Dashboard(pulumi.ComponentResource):
    """A dashboard, whose panels are a table (serving/monitoring/panels.py)."""

    id: pulumi.Output[str]
    """Name of the dashboard: projects/NUMBER/dashboards/ID."""

    def __init__(self, name: str, args: DashboardArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:gcp:Dashboard", name, None, opts)
        dashboard = gcp.monitoring.Dashboard(
            f"{name}-panels", dashboard_json=args.content, opts=pulumi.ResourceOptions(parent=self)
        )
        self.id = dashboard.id
        self.register_outputs({"id": self.id})
