"""Secret Manager secret and its readers. Its value is set outside of Pulumi and never enters the state."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True)
class SecretArgs:
    """Arguments of the secret."""

    secret_id: str
    """Physical name."""
    region: str
    """The only region in which versions are stored."""
    accessors: Mapping[str, pulumi.Input[str]]
    """IAM members that may read the value, by a short name."""
    viewers: Mapping[str, pulumi.Input[str]]
    """IAM members that may read when a version was created, and no value, by a short name."""


class Secret(pulumi.ComponentResource):
    """A secret without a version: `gcloud secrets versions add` sets the value."""

    secret_id: pulumi.Output[str]
    """Name of the secret, without its project."""

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
        # The secret may be protected and outlive its stack. Access to it must end with the stack.
        access = pulumi.ResourceOptions(parent=self, protect=False, retain_on_delete=False)
        grants = {
            **{key: ("secretAccessor", member) for key, member in args.accessors.items()},
            **{f"{key}-age": ("viewer", member) for key, member in args.viewers.items()},
        }
        for key, (role, member) in grants.items():
            gcp.secretmanager.SecretIamMember(
                f"{name}-{key}",
                secret_id=secret.secret_id,
                role=f"roles/secretmanager.{role}",
                member=member,
                opts=access,
            )
        self.secret_id = secret.secret_id
        self.register_outputs({"secret_id": self.secret_id})
