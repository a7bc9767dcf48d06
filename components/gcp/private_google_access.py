"""Google's APIs under four addresses of their own, so that a policy can allow them and nothing else."""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

# private.googleapis.com, routable inside Google Cloud alone:
# https://cloud.google.com/vpc/docs/configure-private-google-access
RANGE = "199.36.153.8/30"
ADDRESSES = ["199.36.153.8", "199.36.153.9", "199.36.153.10", "199.36.153.11"]
DOMAINS = {"googleapis": "googleapis.com.", "registry": "pkg.dev."}
TTL_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class PrivateApisArgs:
    """`network` is the id of the VPC that sees the zones."""

    network: pulumi.Input[str]


class PrivateApis(pulumi.ComponentResource):
    """DNS zones in which every name of Google's APIs and of its registry means `RANGE`."""

    def __init__(self, name: str, args: PrivateApisArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:gcp:PrivateApis", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        for key, domain in DOMAINS.items():
            # googleapis.com itself serves nothing; the name that has the addresses is `private.`.
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
