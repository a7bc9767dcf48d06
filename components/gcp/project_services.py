"""Google APIs that must be enabled in a project before any other resource can be created in it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True)
class ApisArgs:
    """Arguments of the component. `services` are names such as `container.googleapis.com`."""

    services: Sequence[str]


class Apis(pulumi.ComponentResource):
    """Enabled services. A destroy disables none of them, because others in the project may use them."""

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
