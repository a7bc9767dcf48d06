"""The health check that tells a group of TPU VMs whether its servers answer."""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True)
class ServerCheckArgs:
    """`check` is the physical name. Unhealthy is who fails `failures` times, `period_seconds` apart."""

    check: str
    port: int
    period_seconds: int
    failures: int


class ServerCheck(pulumi.ComponentResource):
    """Google asks `/health` of each machine, from its own ranges."""

    id: pulumi.Output[str]

    def __init__(self, name: str, args: ServerCheckArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:gcp:ServerCheck", name, None, opts)
        check = gcp.compute.HealthCheck(
            f"{name}-alive",
            name=args.check,
            check_interval_sec=args.period_seconds,
            timeout_sec=args.period_seconds,
            unhealthy_threshold=args.failures,
            healthy_threshold=1,
            http_health_check={"port": args.port, "request_path": "/health"},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.id = check.id
        self.register_outputs({"id": self.id})
