"""What `pulumi preview` shows beyond resources: a few sentences whose diff says what a change will do."""

from collections.abc import Sequence
from datetime import date

import pulumi

from config.provisioning import Pool, ProvisioningFallback
from serving.hardware.prices import Provisioning
from stacks import output_lines
from stacks.plan import Plan

LOCAL = "local"
"""Region of a machine that is yours."""


def export(
    plan: Plan,
    endpoint: pulumi.Input[str],
    region: str,
    capacity: Pool | ProvisioningFallback | None,
    *,
    cache_outlives_pod: bool = True,
) -> None:
    """Export the plan's numbers and log its warnings; errors never come this far."""
    for finding in plan.findings:
        if finding.severity == "warning":
            pulumi.log.warn(str(finding))
    pulumi.export("endpoint", endpoint)
    pulumi.export("release", plan.release.name)
    pulumi.export("capacity", output_lines.capacity(plan.memory, plan.candidate.engine))
    pulumi.export("programs", output_lines.programs(plan.candidate))
    pulumi.export("cold_start", output_lines.cold_start(plan.cold_start))
    pulumi.export(
        "compile_cache", output_lines.compile_cache(plan.fingerprint, outlives_pod=cache_outlives_pod)
    )
    ways = _provisioning(capacity)
    prices = [output_lines.cost(plan.candidate.accelerator, region, way, date.today()) for way in ways]
    pulumi.export("cost", "; else ".join(prices))
    pulumi.export("findings", [str(finding) for finding in plan.findings])


def _provisioning(capacity: Pool | ProvisioningFallback | None) -> Sequence[Provisioning]:
    """Price lists that apply, in the order in which capacity is tried."""
    if isinstance(capacity, ProvisioningFallback):
        return [way for rung in capacity.rungs for way in _provisioning(rung)]
    if capacity is None or capacity.kind == "reservation":
        # A reservation has no price of its own: it is billed on demand, less your commitment.
        return ["on-demand"]
    return [capacity.kind]
