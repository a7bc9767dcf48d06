"""Outputs of a serving stack, whose diff in `pulumi preview` shows the effect of a change."""

from collections.abc import Sequence
from datetime import date

import pulumi

from config.provisioning import Pool, ProvisioningFallback
from serving.hardware.prices import Provisioning
from stacks import output_lines
from stacks.plan import Plan

LOCAL = "local"
"""Region of the local machine, for which there is no price."""


def export(
    plan: Plan,
    endpoint: pulumi.Input[str],
    region: str,
    capacity: Pool | ProvisioningFallback | None,
    *,
    cache_outlives_pod: bool = True,
) -> None:
    """Exports the plan's numbers and logs its warnings. A plan with an error raised ValueError before."""
    for finding in plan.findings:
        if finding.severity == "warning":
            pulumi.log.warn(str(finding))
    pulumi.export("endpoint", endpoint)
    pulumi.export("release", plan.release.name)
    pulumi.export("kv_capacity", output_lines.kv_capacity(plan.memory, plan.candidate.engine))
    pulumi.export("programs", output_lines.programs(plan.candidate))
    pulumi.export("cold_start", output_lines.cold_start(plan.cold_start))
    pulumi.export(
        "compile_cache", output_lines.compile_cache(plan.fingerprint, outlives_pod=cache_outlives_pod)
    )
    accelerator, models = plan.candidate.accelerator, _price_lists(capacity)
    prices = [output_lines.cost(accelerator, region, model, date.today()) for model in models]
    pulumi.export("cost", "; else ".join(prices))
    pulumi.export("findings", [str(finding) for finding in plan.findings])


def _price_lists(capacity: Pool | ProvisioningFallback | None) -> Sequence[Provisioning]:
    """Returns the price lists that apply, in the order in which GKE tries the provisioning options."""
    if isinstance(capacity, ProvisioningFallback):
        return [model for rung in capacity.rungs for model in _price_lists(rung)]
    if capacity is None or capacity.kind == "reservation":
        # A reservation has no separate price: Google bills it on demand, minus a commitment.
        return ["on-demand"]
    return [capacity.kind]
