"""A certificate that Google issues and renews, proven by one DNS record."""

import hashlib
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True)
class CertificateArgs:
    """`certificate` begins the name. `hostname` must be in a zone that the internet can resolve; the
    address behind it need not be."""

    certificate: str
    region: str
    hostname: str


class Certificate(pulumi.ComponentResource):
    """A regional Certificate Manager certificate: what regional load balancers take
    (https://cloud.google.com/certificate-manager/docs/deploy-google-managed-regional)."""

    id: pulumi.Output[str]
    """For load balancers that are made without GKE."""
    name: pulumi.Output[str]
    dns_record: pulumi.Output[str]
    """The record that its owner must add to the zone, as `name type data`."""

    def __init__(self, name: str, args: CertificateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:gcp:Certificate", name, None, opts)
        # A hostname cannot be changed, and a certificate in use cannot be deleted: another hostname is
        # another name, so that the new one is there before the old one goes. Said outright: left to
        # itself, the provider deletes whatever has a name of ours first
        # (pulumi-terraform-bridge, pkg/tfbridge/schema.go, nameRequiresDeleteBeforeReplace).
        child = pulumi.ResourceOptions(parent=self, delete_before_replace=False)
        digits = hashlib.sha256(args.hostname.encode()).hexdigest()[:4]
        certificate_name = f"{args.certificate}-{digits}"
        proof = gcp.certificatemanager.DnsAuthorization(
            f"{name}-proof",
            name=certificate_name,
            location=args.region,
            domain=args.hostname,
            # The only kind that regional certificates take.
            type="PER_PROJECT_RECORD",
            opts=child,
        )
        issued = gcp.certificatemanager.Certificate(
            f"{name}-issued",
            name=certificate_name,
            location=args.region,
            managed={"domains": [args.hostname], "dns_authorizations": [proof.id]},
            opts=child,
        )
        self.id, self.name = issued.id, issued.name
        self.dns_record = proof.dns_resource_records.apply(
            lambda records: ", ".join(f"{record.name} {record.type} {record.data}" for record in records)
        )
        self.register_outputs({"name": self.name, "dns_record": self.dns_record})
