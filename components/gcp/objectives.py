"""Service of Cloud Monitoring with its objectives, and an alert on each rate at which a budget may burn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from components.gcp.alert_policies import SEVERITIES, documentation
from serving.monitoring import slo
from serving.monitoring.alerts import runbook
from serving.monitoring.scope import Scope
from serving.monitoring.slo import Burn, Objective


@dataclass(frozen=True, kw_only=True)
class ObjectivesArgs:
    """Arguments of the objectives."""

    service: str
    """Id of the service, and begin of each policy's title."""
    objectives: Sequence[Objective]
    scope: Scope
    channels: Sequence[str]
    """Names of notification channels."""
    labels: Mapping[str, str]


class Objectives(pulumi.ComponentResource):
    """A service with its objectives over rolling periods of `slo.PERIOD_DAYS`."""

    def __init__(self, name: str, args: ObjectivesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:gcp:Objectives", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        service = gcp.monitoring.CustomService(
            f"{name}-service",
            service_id=args.service,
            display_name=args.service,
            user_labels=dict(args.labels),
            opts=child,
        )
        for objective in args.objectives:
            declared = gcp.monitoring.Slo(
                f"{name}-{objective.kind}",
                service=service.service_id,
                slo_id=objective.kind,
                display_name=objective.title,
                goal=objective.goal,
                rolling_period_days=slo.PERIOD_DAYS,
                request_based_sli=_indicator(objective, args.scope),
                user_labels=dict(args.labels),
                opts=child,
            )
            for burn in slo.BURNS:
                self._alert(f"{name}-{objective.kind}-{burn.severity}", args, objective, burn, declared.name)
        self.register_outputs({})

    def _alert(
        self, name: str, args: ObjectivesArgs, objective: Objective, burn: Burn, declared: pulumi.Output[str]
    ) -> None:
        """Declares the policy of one pair of windows; both must burn."""
        windows = (burn.long_seconds, burn.short_seconds)
        gcp.monitoring.AlertPolicy(
            name,
            display_name=f"{args.service}: {objective.alert}, {burn.severity}",
            combiner="AND",
            conditions=[
                {
                    "display_name": f"{burn.rate:g} times too fast over {seconds // 60} minutes",
                    "condition_threshold": {
                        "filter": pulumi.Output.concat(
                            'select_slo_burn_rate("', declared, f'", "{seconds}s")'
                        ),
                        "comparison": "COMPARISON_GT",
                        "threshold_value": burn.rate,
                        "duration": "0s",
                    },
                }
                for seconds in windows
            ],
            severity=SEVERITIES[burn.severity],
            documentation=documentation(slo.burn_sentence(objective, burn), runbook(objective.alert)),
            notification_channels=list(args.channels),
            user_labels=dict(args.labels),
            opts=pulumi.ResourceOptions(parent=self),
        )


def _indicator(objective: Objective, scope: Scope) -> gcp.monitoring.SloRequestBasedSliArgsDict:
    """Returns the indicator over the series that Managed Prometheus keeps
    (https://cloud.google.com/stackdriver/docs/managed-prometheus/query-cm)."""
    if objective.first_token_seconds is None:
        every = _filter("http_requests_total/counter", scope)
        every += ' AND metric.labels.handler=monitoring.regex.full_match("/v1/.*")'
        bad = f'{every} AND metric.labels.status="5xx"'
        return {"good_total_ratio": {"bad_service_filter": bad, "total_service_filter": every}}
    return {
        "distribution_cut": {
            "distribution_filter": _filter("vllm:time_to_first_token_seconds/histogram", scope),
            "range": {"max": objective.first_token_seconds},
        }
    }


def _filter(metric: str, scope: Scope) -> str:
    """Returns the filter of a metric's series; Managed Prometheus keeps a collector's labels as the
    resource's."""
    labels = [f'resource.labels.{label}="{value}"' for label, value in scope.labels.items()]
    kind = f'metric.type="prometheus.googleapis.com/{metric}"'
    return " AND ".join([kind, 'resource.type="prometheus_target"', *labels])
