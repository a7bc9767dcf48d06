"""Private Google Access: Google's APIs at four fixed addresses, which a NetworkPolicy can allow."""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

RANGE = "199.36.153.8/30"
"""Addresses of private.googleapis.com, which are routed only inside Google Cloud
(https://cloud.google.com/vpc/docs/configure-private-google-access)."""
ADDRESSES = ["199.36.153.8", "199.36.153.9", "199.36.153.10", "199.36.153.11"]
DOMAINS = {"googleapis": "googleapis.com.", "registry": "pkg.dev."}
TTL_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class PrivateApisArgs:
    """Arguments of the zones. `network` is the id of the VPC in which the zones are visible."""

    network: pulumi.Input[str]


class PrivateApis(pulumi.ComponentResource):
    """Private DNS zones that resolve every name of Google's APIs and of Artifact Registry to `RANGE`."""

    def __init__(self, name: str, args: PrivateApisArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:gcp:PrivateApis", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        for key, domain in DOMAINS.items():
            # googleapis.com itself serves nothing, so its A record is the one of private.googleapis.com.
            target = f"private.{domain}" if key == "googleapis" else domain
            zone = gcp.dns.ManagedZone(
                f"{name}-{key}",
                name=f"{name}-{key}",
                dns_name=domain,
                description="Google's APIs under addresses that only this network can reach",
                visibility="private",
                private_visibility_config={"networks": [{"network_url": args.network}]},
                opts=child,
            )
            gcp.dns.RecordSet(
                f"{name}-{key}-addresses",
                managed_zone=zone.name,
                name=target,
                type="A",
                ttl=TTL_SECONDS,
                rrdatas=ADDRESSES,
                opts=child,
            )
            gcp.dns.RecordSet(
                f"{name}-{key}-names",
                managed_zone=zone.name,
                name=f"*.{domain}",
                type="CNAME",
                ttl=TTL_SECONDS,
                rrdatas=[target],
                opts=child,
            )
        self.register_outputs({})
