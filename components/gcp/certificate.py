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
        # hostname creates a certificate with a new name before the old one is deleted. The option is
        # explicit, because the provider defaults to delete-before-replace for resources with a fixed name
        # (pulumi-terraform-bridge, pkg/tfbridge/schema.go, nameRequiresDeleteBeforeReplace).
        child = pulumi.ResourceOptions(parent=self, delete_before_replace=False)
        hostname_digest = hashlib.sha256(args.hostname.encode()).hexdigest()[:4]
        certificate_name = f"{args.certificate}-{hostname_digest}"
        authorization = gcp.certificatemanager.DnsAuthorization(
            f"{name}-proof",
            name=certificate_name,
            location=args.region,
            domain=args.hostname,
            # The only type that regional certificates accept.
            type="PER_PROJECT_RECORD",
            opts=child,
        )
        certificate = gcp.certificatemanager.Certificate(
            f"{name}-issued",
            name=certificate_name,
            location=args.region,
            managed={"domains": [args.hostname], "dns_authorizations": [authorization.id]},
            opts=child,
        )
        self.id, self.name = certificate.id, certificate.name
        self.dns_record = authorization.dns_resource_records.apply(
            lambda records: ", ".join(f"{record.name} {record.type} {record.data}" for record in records)
        )
        self.register_outputs({"name": self.name, "dns_record": self.dns_record})
