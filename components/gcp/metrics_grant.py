"""Permission of a TPU VM's service account to write metrics."""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True)
class MetricsGrantArgs:
    """Arguments of the grant."""

    project: str
    email: pulumi.Input[str]
    """Email of the service account."""


class MetricsGrant(pulumi.ComponentResource):
    """One IAM member of the project. On GKE the node's account writes; a TPU VM writes as the server."""

    def __init__(self, name: str, args: MetricsGrantArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:gcp:MetricsGrant", name, None, opts)
        gcp.projects.IAMMember(
            f"{name}-writer",
            project=args.project,
            role="roles/monitoring.metricWriter",
            member=pulumi.Output.concat("serviceAccount:", args.email),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
