"""What `pulumi preview` shows beyond resources: a few sentences whose diff says what a change will do."""

import pulumi

from stacks.plan import Plan


def export(plan: Plan, endpoint: pulumi.Input[str]) -> None:
    """Export the plan's numbers and log its warnings; errors never come this far."""
    for finding in plan.findings:
        if finding.severity == "warning":
            pulumi.log.warn(str(finding))
    pulumi.export("endpoint", endpoint)
    pulumi.export("release", plan.release.name)
    pulumi.export("findings", [str(finding) for finding in plan.findings])
