"""Outputs of a serving stack, whose diff in `pulumi preview` shows the effect of a change."""

from datetime import date

import pulumi

from config.footprint import footprint, replaced_together
from config.provisioning import price_lists
from config.settings import Settings
from config.targets import GkeTarget, TpuVmTarget
from stacks import cost_lines, output_lines
from stacks.plan import Plan


def export(settings: Settings, plan: Plan, endpoint: pulumi.Input[str]) -> None:
    """Exports the plan's numbers and logs its warnings. A plan with an error raised ValueError before."""
    for finding in plan.findings:
        if finding.severity == "warning":
            pulumi.log.warn(str(finding))
    pulumi.export("endpoint", endpoint)
    pulumi.export("release", plan.release.name)
    pulumi.export("kv_capacity", output_lines.kv_capacity(plan.memory, plan.candidate.engine))
    pulumi.export("programs", output_lines.programs(plan.candidate))
    pulumi.export("cold_start", output_lines.cold_start(plan.cold_start))
    pulumi.export("compile_cache", output_lines.compile_cache(plan.fingerprint))
    order = (settings.replicas, settings.rollout.surge, replaced_together(settings))
    pulumi.export("rollout", output_lines.rollout(*order, plan.cold_start))
    pulumi.export("acceptance", output_lines.acceptance(settings.acceptance.off))
    if plan.load is not None:
        pulumi.export("load", plan.load.line)
    pulumi.export("cost", _cost(settings, plan))
    pulumi.export("findings", [str(finding) for finding in plan.findings])


def _cost(settings: Settings, plan: Plan) -> list[str]:
    target = settings.target
    if not isinstance(target, GkeTarget | TpuVmTarget):
        return [cost_lines.OWN_MACHINE]
    return cost_lines.cost(
        footprint(settings, target),
        plan.candidate.model,
        target.region,
        price_lists(target.capacity),
        date.today(),
        settings.promotion.record if settings.promotion else None,
    )
