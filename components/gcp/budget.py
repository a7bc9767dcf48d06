"""Budget of a billing account for what one stack costs."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

THRESHOLDS = (("CURRENT_SPEND", 0.9), ("CURRENT_SPEND", 1.0), ("FORECASTED_SPEND", 1.0))
"""Shares of the budget at which Google notifies: of what was spent, and of what the month will cost."""


@dataclass(frozen=True, kw_only=True)
class StackBudgetArgs:
    """Arguments of the budget."""

    title: str
    billing_account: str
    monthly: int
    """Whole units of the account's currency for a calendar month."""
    stack: str
    """Value of the label `stack` of everything that counts."""
    channels: Sequence[str]
    """Names of notification channels."""


class StackBudget(pulumi.ComponentResource):
    """A budget, which notifies and stops nothing.

    Google also mails the billing account's administrators and users. Its costs are hours old, and those of
    resources without labels, such as network traffic, are left out.
    """

    def __init__(self, name: str, args: StackBudgetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:gcp:StackBudget", name, None, opts)
        rule: gcp.billing.BudgetAllUpdatesRuleArgsDict = {
            "monitoring_notification_channels": list(args.channels)
        }
        gcp.billing.Budget(
            f"{name}-month",
            billing_account=args.billing_account,
            display_name=args.title,
            amount={"specified_amount": {"units": str(args.monthly)}},
            budget_filter={"labels": {"stack": args.stack}, "calendar_period": "MONTH"},
            threshold_rules=[
                {"spend_basis": basis, "threshold_percent": share} for basis, share in THRESHOLDS
            ],
            # A rule without a channel is refused.
            all_updates_rule=rule if args.channels else None,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
