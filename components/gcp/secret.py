"""A place for a secret value, and who may read it; the value itself is set elsewhere and never seen here."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True)
class SecretArgs:
    """`accessors` map a short name to an IAM member. Versions are kept in `region` alone."""

    secret_id: str
    region: str
    accessors: Mapping[str, pulumi.Input[str]]


class Secret(pulumi.ComponentResource):
    """A Secret Manager secret without a version: `gcloud secrets versions add` brings the value."""

    secret_id: pulumi.Output[str]

    def __init__(self, name: str, args: SecretArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:gcp:Secret", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        secret = gcp.secretmanager.Secret(
            f"{name}-secret",
            secret_id=args.secret_id,
            replication={"user_managed": {"replicas": [{"location": args.region}]}},
            # A destroyed version can be restored for a day.
            version_destroy_ttl="86400s",
            opts=child,
        )
        # The secret may be protected and outlive its stack; nobody's access to it should.
        access = pulumi.ResourceOptions(parent=self, protect=False, retain_on_delete=False)
        for key, member in args.accessors.items():
            gcp.secretmanager.SecretIamMember(
                f"{name}-{key}",
                secret_id=secret.secret_id,
                role="roles/secretmanager.secretAccessor",
                member=member,
                opts=access,
            )
        self.secret_id = secret.secret_id
        self.register_outputs({"secret_id": self.secret_id})
