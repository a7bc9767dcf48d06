"""Rule file and dashboard of a stack, for a Prometheus and a Grafana of your own."""

from collections.abc import Mapping
from pathlib import Path

from config.monitoring_limits import stack_objectives, thresholds
from config.selection import from_settings, serving_settings
from config.settings import Settings
from config.targets import GkeTarget, LocalTarget, TpuVmTarget
from serving.deploy import container_layout
from serving.memory.budget import budget
from serving.monitoring import alerts, grafana, panels, prometheus_rules, slo
from serving.monitoring.scope import Scope

RULES, DASHBOARD = "prometheus-rules.yaml", "grafana-dashboard.json"


def files(stack: str, folder: Path) -> Mapping[str, str]:
    """Returns the files' texts by name, for `folder`/Pulumi.<stack>.yaml.

    Raises ValueError, one sentence per line, for everything that `pulumi preview` refuses about the settings.
    """
    settings = serving_settings(stack, folder)
    selection = from_settings(stack, settings)
    limits = thresholds(settings, selection.proved.engine, budget(selection.proved), selection.lifecycle)
    scope = scope_of(stack, settings)
    # The sidecar of a TPU VM listens on loopback: an alert on its metrics would fire always or never.
    of_machines = isinstance(settings.target, TpuVmTarget)
    rows = alerts.server_alerts(limits, scope) if of_machines else alerts.alerts(limits, scope)
    shown = panels.server_panels(scope) if of_machines else panels.panels(scope)
    return {
        RULES: prometheus_rules.rule_file((*rows, *slo.burn_alerts(stack_objectives(settings), scope))),
        DASHBOARD: grafana.dashboard(f"tpuserve {stack}", shown),
    }


def scope_of(stack: str, settings: Settings) -> Scope:
    """Returns the labels that a Prometheus in the stack's cluster adds; on machines only `instance`."""
    match settings.target:
        case LocalTarget():
            return Scope({"namespace": container_layout.NAMESPACE}, "pod")
        case GkeTarget():
            return Scope({"namespace": f"tpuserve-{stack}"}, "pod")
        case TpuVmTarget():
            return Scope({}, "instance")
        case _:
            raise AssertionError("a foundation serves nothing")
