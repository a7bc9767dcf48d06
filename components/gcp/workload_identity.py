"""Workload Identity: pods of one Kubernetes service account act as a Google service account."""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True)
class WorkloadIdentityArgs:
    """Arguments of the binding."""

    project: str
    email: pulumi.Input[str]
    """Email of the Google service account."""
    namespace: str
    """Kubernetes namespace."""
    account: str
    """Name of the Kubernetes service account."""


class WorkloadIdentity(pulumi.ComponentResource):
    """The IAM binding. It needs the project's identity pool, which Google creates with the first cluster
    (github.com/terraform-google-modules/terraform-google-kubernetes-engine, issue 916)."""

    annotations: dict[str, pulumi.Output[str]]
    """Annotations that the Kubernetes service account must have."""

    def __init__(
        self, name: str, args: WorkloadIdentityArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tpuserve:gcp:WorkloadIdentity", name, None, opts)
        binding = gcp.serviceaccount.IAMMember(
            f"{name}-binding",
            service_account_id=pulumi.Output.concat(
                "projects/", args.project, "/serviceAccounts/", args.email
            ),
            role="roles/iam.workloadIdentityUser",
            # The identity pool belongs to the project, so Google cannot distinguish equal names in two
            # clusters. Therefore each stack has its own namespace.
            member=f"serviceAccount:{args.project}.svc.id.goog[{args.namespace}/{args.account}]",
            opts=pulumi.ResourceOptions(parent=self),
        )
        # Depends on the binding, so that no pod starts before it may act as the account.
        email = pulumi.Output.all(args.email, binding.id).apply(lambda values: str(values[0]))
        self.annotations = {"iam.gke.io/gcp-service-account": email}
        self.register_outputs({"annotations": self.annotations})
