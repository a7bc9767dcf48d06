"""Rules for every type: labels, project, region and zone."""

import re
from collections.abc import Iterator

from tools.fake_gcp.checks.rules.base import Case, rule
from tools.fake_gcp.checks.shape import Problem
from tools.fake_gcp.schema.kind import UNKNOWN

LABEL_KEY = r"[a-z][a-z0-9_-]{0,62}"
LABEL_VALUE = r"[a-z0-9_-]{0,63}"


@rule()
def labels(case: Case) -> Iterator[Problem]:
    """https://cloud.google.com/resource-manager/docs/labels-overview#requirements (ASCII part of it)."""
    if case.kind.module == "monitoring":
        return
    for path in ("labels", "resourceLabels", "nodeConfig.resourceLabels"):
        own = case.get(path, {})
        merged = (
            {**(case.config.get("defaultLabels") or {}), **own}
            if path != "nodeConfig.resourceLabels"
            else own
        )
        if not own:
            continue
        if len(merged) > 64:
            yield path, f"{path}: Google allows 64 labels on a resource, and these are {len(merged)}."
        for key, value in merged.items():
            if not re.fullmatch(LABEL_KEY, key):
                yield (
                    path,
                    f"{path}: the label key {key!r} must be 1 to 63 lower-case letters, digits, '_' or '-', "
                    "and begin with a letter.",
                )
            if value != UNKNOWN and not re.fullmatch(LABEL_VALUE, str(value)):
                yield (
                    path,
                    f"{path}: the value {value!r} of label {key!r} must be at most 63 lower-case letters, "
                    "digits, '_' or '-'.",
                )


@rule()
def project(case: Case) -> Iterator[Problem]:
    """https://cloud.google.com/resource-manager/docs/creating-managing-projects#before_you_begin"""
    name = case.variable("project")
    if name and not re.fullmatch(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]|\d{6,19}", name):
        yield (
            "project",
            f"The project id {name!r} must be 6 to 30 lower-case letters, digits or hyphens, begin with a "
            "letter and not end with a hyphen.",
        )


@rule()
def places(case: Case) -> Iterator[Problem]:
    """Regions are named like us-east5 and zones like us-east5-b: https://cloud.google.com/compute/docs/regions-zones"""
    region, zone = case.get("region"), case.get("zone")
    if region and not re.fullmatch(r"(.*/)?[a-z]+-[a-z]+\d+", region):
        yield "region", f"{region!r} is no region: regions are named like us-east5."
    zones = [("zone", zone)] if zone else []
    zones += [
        (name, item) for name in ("nodeLocations", "distributionPolicyZones") for item in case.get(name, [])
    ]
    for path, item in zones:
        if item != UNKNOWN and not re.fullmatch(r"(.*/)?[a-z]+-[a-z]+\d+-[a-z]", str(item)):
            yield path, f"{path}: {item!r} is no zone: zones are named like us-east5-b."
