"""Alert policies of Cloud Monitoring, on PromQL conditions and on log entries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp
from pulumi_gcp.monitoring import AlertPolicyAlertStrategyArgsDict, AlertPolicyConditionArgsDict

from serving.monitoring.alerts import Alert, Severity
from serving.monitoring.google import LogAlert

EVALUATION_SECONDS = 30
"""Seconds between two evaluations: Cloud Monitoring's shortest interval, and that of the scrapes."""

NOTIFICATION_SECONDS = 86400
"""Seconds between two notifications about log entries: Certificate Manager writes one a day."""

SEVERITIES: Mapping[Severity, str] = {"critical": "CRITICAL", "warning": "WARNING"}


@dataclass(frozen=True, kw_only=True)
class AlertPoliciesArgs:
    """Arguments of the policies."""

    title: str
    """Begin of each policy's title."""
    alerts: Sequence[Alert]
    log_alerts: Sequence[LogAlert]
    channels: Sequence[str]
    """Names of notification channels."""
    labels: Mapping[str, str]


class AlertPolicies(pulumi.ComponentResource):
    """One policy for each alert."""

    def __init__(
        self, name: str, args: AlertPoliciesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tpuserve:gcp:AlertPolicies", name, None, opts)
        for alert in args.alerts:
            self._policy(
                name,
                args,
                alert,
                {
                    "display_name": alert.name,
                    "condition_prometheus_query_language": {
                        "query": alert.query,
                        "duration": f"{alert.for_seconds}s",
                        "evaluation_interval": f"{EVALUATION_SECONDS}s",
                        # A metric without a value, such as one of a first slow compilation, does not exist
                        # for Cloud Monitoring, which then refuses the policy.
                        "disable_metric_validation": True,
                    },
                },
            )
        for alert in args.log_alerts:
            self._policy(
                name,
                args,
                alert,
                {"display_name": alert.name, "condition_matched_log": {"filter": alert.filter}},
                # Policies on log entries need a limit of their notifications.
                {"notification_rate_limit": {"period": f"{NOTIFICATION_SECONDS}s"}},
            )
        self.register_outputs({})

    def _policy(
        self,
        name: str,
        args: AlertPoliciesArgs,
        alert: Alert | LogAlert,
        condition: AlertPolicyConditionArgsDict,
        strategy: AlertPolicyAlertStrategyArgsDict | None = None,
    ) -> None:
        """Declares the policy of one alert."""
        gcp.monitoring.AlertPolicy(
            f"{name}-{alert.name}",
            display_name=f"{args.title}: {alert.name}",
            combiner="OR",
            conditions=[condition],
            alert_strategy=strategy,
            severity=SEVERITIES[alert.severity],
            documentation=documentation(alert.why, alert.runbook),
            notification_channels=list(args.channels),
            user_labels=dict(args.labels),
            opts=pulumi.ResourceOptions(parent=self),
        )


def documentation(why: str, runbook: str) -> gcp.monitoring.AlertPolicyDocumentationArgsDict:
    """Returns the text of a notification."""
    return {"content": f"{why} What to do: {runbook} in the repository.", "mime_type": "text/markdown"}
