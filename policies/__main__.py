"""Policy pack for `pulumi preview --policy-pack policies`. `registry.py` lists its rules."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
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

# Pulumi runs this folder as a program, so the repository's root is not on the path.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from policies.registry import RULES, STACK_RULES, Rule, StackRule
from policies.resource import UNKNOWN, Resource, short

REGISTERED: dict[str, Any] = {}
"""Inputs of each resource by URN, as its registration had them.

Rules on a whole stack read them too, because the CLI gives those rules outputs. In the preview of a first
deployment the objects of a cluster that does not exist yet have no outputs, and every rule would pass."""

NOT_KNOWN = {value for name, value in vars(unknowns).items() if name.startswith("UNKNOWN_")}


def plain(value: Any) -> Any:
    """Returns the SDK's proxy of an input as an ordinary value, with UNKNOWN for what a preview lacks."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value["__target"].items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        # The proxy of a list returns the list for this key.
        items: Any = value
        return [plain(item) for item in items["__target"]]
    if isinstance(value, str) and value in NOT_KNOWN:
        return UNKNOWN
    return int(value) if isinstance(value, float) and value.is_integer() else value


def resource(registration: Any) -> Resource:
    """Returns a resource of the SDK in the form that rules read."""
    provider = registration.provider
    return Resource(
        kind=registration.resource_type,
        name=registration.name,
        inputs=plain(registration.props),
        protect=registration.opts.protect,
        ignored=tuple(registration.opts.ignore_changes),
        provider=plain(provider.props) if provider else None,
        urn=registration.urn,
    )


def single(rule: Rule) -> ResourceValidationPolicy:
    """Returns a rule on one resource as a policy of the SDK."""

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        checked = resource(args)
        REGISTERED[args.urn] = checked.inputs
        for sentence in rule.violations(checked):
            report(f"{short(checked.kind)} {checked.name} {sentence}.")

    return ResourceValidationPolicy(
        name=rule.name,
        description=rule.promise,
        enforcement_level=EnforcementLevel.MANDATORY,
        validate=validate,
    )


def whole(rule: StackRule) -> StackValidationPolicy:
    """Returns a rule on a whole stack as a policy of the SDK."""

    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        resources = [resource(each) for each in args.resources]
        registered = [replace(each, inputs=REGISTERED.get(each.urn, each.inputs)) for each in resources]
        for violator, sentence in rule.violations(registered):
            report(f"{short(violator.kind)} {violator.name} {sentence}.", violator.urn)

    return StackValidationPolicy(
        name=rule.name,
        description=rule.promise,
        enforcement_level=EnforcementLevel.MANDATORY,
        validate=validate,
    )


PolicyPack("tpuserve", policies=[*map(single, RULES), *map(whole, STACK_RULES)])
