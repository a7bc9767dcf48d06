"""Service account with its roles on the whole project."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True)
class IdentityArgs:
    """Arguments of the account. Roles on single resources belong to the resource's component."""

    project: str
    account_id: str
    """First part of the email, 6 to 30 characters."""
    purpose: str
    """Display name."""
    project_roles: Sequence[str]


class Identity(pulumi.ComponentResource):
    """A service account without keys."""

    email: pulumi.Output[str]
    member: pulumi.Output[str]
    """IAM member: `serviceAccount:<email>`."""

    def __init__(self, name: str, args: IdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:gcp:Identity", name, None, opts)
        account = gcp.serviceaccount.Account(
            f"{name}-account",
            account_id=args.account_id,
            display_name=args.purpose,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.email = account.email
        self.member = pulumi.Output.concat("serviceAccount:", account.email)
        for role in args.project_roles:
            gcp.projects.IAMMember(
                f"{name}-{role.removeprefix('roles/')}",
                project=args.project,
                role=role,
                member=self.member,
                # The account may be protected and outlive its stack. Its roles must end with the stack.
                opts=pulumi.ResourceOptions(parent=self, protect=False, retain_on_delete=False),
            )
        self.register_outputs({"email": self.email, "member": self.member})
