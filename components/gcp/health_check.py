"""Health check with which a group of TPU VMs sees whether its servers are accepted."""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True)
class ServerCheckArgs:
    """Arguments of the health check."""

    check: str
    """Physical name."""
    port: int
    period_seconds: int
    """Seconds from one probe to the next, and until a probe times out."""
    failures: int
    """Number of failed probes in a row after which a machine is unhealthy."""


class ServerCheck(pulumi.ComponentResource):
    """A global HTTP health check. Google requests `/ready` of each machine from its own address ranges.

    `/ready` answers 200 when the sidecar has accepted the server. So an update of a group stops at the first
    server that is not accepted.
    """

    id: pulumi.Output[str]
    """Id, for managed instance groups."""

    def __init__(self, name: str, args: ServerCheckArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:gcp:ServerCheck", name, None, opts)
        check = gcp.compute.HealthCheck(
            f"{name}-ready",
            name=args.check,
            check_interval_sec=args.period_seconds,
            timeout_sec=args.period_seconds,
            unhealthy_threshold=args.failures,
            healthy_threshold=1,
            http_health_check={"port": args.port, "request_path": "/ready"},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.id = check.id
        self.register_outputs({"id": self.id})
