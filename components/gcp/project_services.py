"""The Google APIs that a project must have enabled before anything else can be made in it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True)
class ApisArgs:
    """`services` are names such as `container.googleapis.com`."""

    services: Sequence[str]


class Apis(pulumi.ComponentResource):
    """Enables services, and never disables one: others in the project may use it."""

    def __init__(self, name: str, args: ApisArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:gcp:Apis", name, None, opts)
        for service in args.services:
            gcp.projects.Service(
                f"{name}-{service.split('.')[0]}",
                service=service,
                disable_on_destroy=False,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})
