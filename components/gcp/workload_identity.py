"""Lets the pods of one Kubernetes service account act as a Google service account."""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True)
class WorkloadIdentityArgs:
    """`email` is Google's account; namespace and account are Kubernetes' names."""

    project: str
    email: pulumi.Input[str]
    namespace: str
    account: str


class WorkloadIdentity(pulumi.ComponentResource):
    """The binding, which can exist only after the project's first cluster: its identity pool comes with it
    (github.com/terraform-google-modules/terraform-google-kubernetes-engine, issue 916)."""

    annotations: dict[str, pulumi.Output[str]]
    """What the Kubernetes account must carry."""

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
            # The namespace belongs to one stack, because the pool is the whole project's: a pod of the same
            # name in another cluster would be the same to Google.
            member=f"serviceAccount:{args.project}.svc.id.goog[{args.namespace}/{args.account}]",
            opts=pulumi.ResourceOptions(parent=self),
        )
        # From the binding, so that no pod starts before it may act.
        email = pulumi.Output.all(args.email, binding.id).apply(lambda both: str(both[0]))
        self.annotations = {"iam.gke.io/gcp-service-account": email}
        self.register_outputs({"annotations": self.annotations})
