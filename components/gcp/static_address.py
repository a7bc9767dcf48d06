"""Static IP address of a region."""

from dataclasses import dataclass
from typing import Literal

import pulumi

TYPE = "gcp:compute/address:Address"


@dataclass(frozen=True, kw_only=True)
class StaticAddressArgs:
    """Arguments of the address."""

    name: str
    region: str
    address_type: Literal["INTERNAL", "EXTERNAL"]
    subnetwork: pulumi.Input[str] | None
    """Self link of the subnet that an internal address is taken from; None for an external one."""


class StaticAddress(pulumi.CustomResource):
    """The resource of the SDK's `gcp.compute.Address`.

    That class loads the SDK's whole compute package. A GKE stack needs nothing else from it, and it takes
    more than half of the seconds that such a stack's imports take (docs/architecture.md).
    """

    name: pulumi.Output[str]
    address: pulumi.Output[str]

    def __init__(self, name: str, args: StaticAddressArgs, opts: pulumi.ResourceOptions) -> None:
        # The provider's labels are secret outputs, as in the SDK's class.
        secret = pulumi.ResourceOptions(additional_secret_outputs=["effectiveLabels", "pulumiLabels"])
        properties = {
            "name": args.name,
            "region": args.region,
            "addressType": args.address_type,
            "subnetwork": args.subnetwork,
            "address": None,
        }
        super().__init__(TYPE, name, properties, pulumi.ResourceOptions.merge(opts, secret))
