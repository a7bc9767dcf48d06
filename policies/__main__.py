"""The policy pack: `pulumi preview --policy-pack policies`. The rules themselves are in rules.py."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy import proxy as unknowns

# The engine runs this folder, not the package that it is.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from policies.registry import RULES, STACK_RULES, Rule, StackRule
from policies.resource import UNKNOWN, Resource, short

NOT_KNOWN = {value for name, value in vars(unknowns).items() if name.startswith("UNKNOWN_")}


def plain(value: Any) -> Any:
    """The pack's guarded values as ordinary ones, with UNKNOWN where a preview does not know."""
    if isinstance(value, Mapping):
        target = value["__target"]
        return {key: plain(item) for key, item in target.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value["__target"]]
    if isinstance(value, str) and value in NOT_KNOWN:
        return UNKNOWN
    return int(value) if isinstance(value, float) and value.is_integer() else value


def resource(found: Any) -> Resource:
    """The engine's resource as the rules see it."""
    provider = found.provider
    return Resource(
        kind=found.resource_type,
        name=found.name,
        inputs=plain(found.props),
        protect=found.opts.protect,
        ignored=tuple(found.opts.ignore_changes),
        provider=plain(provider.props) if provider else None,
        urn=found.urn,
    )


def single(rule: Rule) -> ResourceValidationPolicy:
    """A rule over one resource as the engine takes it."""

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        seen = resource(args)
        for sentence in rule.check(seen):
            report(f"{short(seen.kind)} {seen.name} {sentence}.")

    return ResourceValidationPolicy(
        name=rule.name,
        description=rule.promise,
        enforcement_level=EnforcementLevel.MANDATORY,
        validate=validate,
    )


def whole(rule: StackRule) -> StackValidationPolicy:
    """A rule over the stack as the engine takes it."""

    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        for seen, sentence in rule.check([resource(found) for found in args.resources]):
            report(f"{short(seen.kind)} {seen.name} {sentence}.", seen.urn)

    return StackValidationPolicy(
        name=rule.name,
        description=rule.promise,
        enforcement_level=EnforcementLevel.MANDATORY,
        validate=validate,
    )


PolicyPack("tpuserve", policies=[*map(single, RULES), *map(whole, STACK_RULES)])
