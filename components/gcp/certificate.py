"""Certificate that Google issues and renews, authorized by one DNS record."""

import hashlib
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True)
class CertificateArgs:
    """Arguments of the certificate."""

    certificate: str
    """Prefix of the physical name; a hash of the hostname follows it."""
    region: str
    hostname: str
    """Name in a public DNS zone. Its address may be private."""


class Certificate(pulumi.ComponentResource):
    """A regional Certificate Manager certificate, the kind that regional load balancers accept
    (https://cloud.google.com/certificate-manager/docs/deploy-google-managed-regional)."""

    id: pulumi.Output[str]
    """Id for load balancers that Pulumi creates."""
    name: pulumi.Output[str]
    """Name for load balancers that GKE creates from a Gateway."""
    dns_record: pulumi.Output[str]
    """DNS record that the zone's owner must add, as `name type data`."""

    def __init__(self, name: str, args: CertificateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:gcp:Certificate", name, None, opts)
        # Google can change no certificate's hostname and deletes no certificate in use. So a changed
        # hostname is another resource with another name, and the old one is deleted at the end.
        child = pulumi.ResourceOptions(parent=self)
        digest = hostname_digest(args.hostname)
        physical_name = certificate_name(args.certificate, args.hostname)
        authorization = gcp.certificatemanager.DnsAuthorization(
            f"{name}-proof-{digest}",
            name=physical_name,
            location=args.region,
            domain=args.hostname,
            # The only type that regional certificates accept.
            type="PER_PROJECT_RECORD",
            opts=child,
        )
        certificate = gcp.certificatemanager.Certificate(
            f"{name}-issued-{digest}",
            name=physical_name,
            location=args.region,
            managed={"domains": [args.hostname], "dns_authorizations": [authorization.id]},
            opts=child,
        )
        self.id, self.name = certificate.id, certificate.name
        self.dns_record = authorization.dns_resource_records.apply(
            lambda records: ", ".join(f"{record.name} {record.type} {record.data}" for record in records)
        )
        self.register_outputs({"name": self.name, "dns_record": self.dns_record})


def hostname_digest(hostname: str) -> str:
    """Returns four digits of a hash of a hostname, for the names of its certificate and DNS authorization."""
    return hashlib.sha256(hostname.encode()).hexdigest()[:4]


def certificate_name(prefix: str, hostname: str) -> str:
    """Returns the physical name of a hostname's certificate and of its DNS authorization."""
    return f"{prefix}-{hostname_digest(hostname)}"
