"""Alerts on what Google itself reports of a stack: nodes, hosts and certificates."""

from collections.abc import Sequence
from dataclasses import dataclass

from serving.monitoring.alerts import Alert, Severity, runbook


@dataclass(frozen=True, kw_only=True)
class LogAlert:
    """Alert on every log entry that matches `filter`, in the query language of Cloud Logging."""

    name: str
    filter: str
    severity: Severity
    why: str

    @property
    def runbook(self) -> str:
        """Returns the path and anchor of the section that says what to do."""
        return runbook(self.name)


def node_interrupted(cluster: str) -> Alert:
    """Returns the alert on a node that Google stops, from GKE's system metrics.

    https://cloud.google.com/kubernetes-engine/docs/concepts/handle-disruption-gpu-tpu
    """
    count = f'kubernetes_io:node_interruption_count{{monitored_resource="k8s_node",cluster_name="{cluster}"}}'
    return Alert(
        name="NodeInterrupted",
        query=f"sum by (interruption_type, interruption_reason) (sum_over_time({count}[10m])) > 0",
        for_seconds=0,
        severity="warning",
        why="Google stops a node: for maintenance, after a fault, or to take back a spot machine.",
    )


def maintenance_announced(project: str, zones: Sequence[str]) -> LogAlert:
    """Returns the alert on maintenance of a host in one of `zones`, which Compute Engine announces before.

    https://cloud.google.com/tpu/docs/view-maintenance-notifications
    """
    zone = " OR ".join(f'"{zone}"' for zone in zones)
    return LogAlert(
        name="MaintenanceAnnounced",
        filter=(
            f'logName="projects/{project}/logs/cloudaudit.googleapis.com%2Fsystem_event" AND '
            'protoPayload.methodName="compute.instances.upcomingMaintenance" AND '
            f"resource.labels.zone=({zone})"
        ),
        severity="warning",
        why="Google announces maintenance of a host in a zone of this stack: its TPU will not serve then.",
    )


def certificate_expires(project: str) -> LogAlert:
    """Returns the alert on a certificate that Google could not renew, of any stack in the project.

    https://cloud.google.com/certificate-manager/docs/logs-metrics: the entries come daily, from 5 to 10 days
    before the end on.
    """
    return LogAlert(
        name="CertificateExpires",
        filter=(
            f'logName="projects/{project}/logs/certificatemanager.googleapis.com%2Fcertificates_expiry" AND '
            'jsonPayload.state=("CLOSE_TO_EXPIRY" OR "EXPIRED")'
        ),
        severity="critical",
        why="A certificate of the project was not renewed and is about to expire, or has expired.",
    )
