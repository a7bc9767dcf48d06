"""Rules for managed instance groups and resize requests."""

from collections.abc import Iterator

from tools.fake_gcp.checks.rules.base import Case, rule
from tools.fake_gcp.checks.rules.container import WEEK
from tools.fake_gcp.checks.shape import Problem
from tools.fake_gcp.schema.kinds.instances import GROUP, REGION_GROUP


@rule(GROUP, REGION_GROUP)
def healing(case: Case) -> Iterator[Problem]:
    """Description of initialDelaySec in the discovery document."""
    delay = case.get("autoHealingPolicies.initialDelaySec")
    if delay is not None and not 0 <= delay <= 3600:
        yield "autoHealingPolicies.initialDelaySec", f"initialDelaySec is 0 to 3600 seconds, not {delay}."


@rule(GROUP, REGION_GROUP)
def updates(case: Case) -> Iterator[Problem]:
    """Descriptions of InstanceGroupManagerUpdatePolicy in the discovery document; regional groups:
    https://cloud.google.com/compute/docs/instance-groups/rolling-out-updates-to-managed-instance-groups#max_surge"""
    path = "updatePolicy"
    if not case.given(path):
        return
    for name in ("maxSurge", "maxUnavailable"):
        if len(case.given(f"{path}.{name}Fixed", f"{path}.{name}Percent")) == 2:
            yield f"{path}.{name}Fixed", f"{name} is fixed or a percentage, not both."
        if case.given(f"{path}.{name}Percent") and 0 < case.get("targetSize", 0) < 10:
            yield (
                f"{path}.{name}Percent",
                "A percentage needs a group of 10 or more instances; use the fixed number.",
            )
    surge, unavailable = case.get(f"{path}.maxSurgeFixed"), case.get(f"{path}.maxUnavailableFixed")
    if surge == 0 and unavailable == 0:
        yield path, "maxSurge and maxUnavailable cannot both be 0: no instance could be updated."
    if case.get(f"{path}.replacementMethod") == "RECREATE" and surge != 0:
        yield f"{path}.maxSurgeFixed", "replacementMethod RECREATE keeps names, so maxSurgeFixed must be 0."
    zones = len(case.get("distributionPolicyZones", [])) or 3
    if case.kind.token == REGION_GROUP:
        for name, value in (("maxSurgeFixed", surge), ("maxUnavailableFixed", unavailable)):
            if value and value < zones:
                yield (
                    f"{path}.{name}",
                    f"{name} of a regional group is 0 or at least its number of zones ({zones}), not "
                    f"{value}.",
                )
    elif case.given(f"{path}.instanceRedistributionType"):
        yield f"{path}.instanceRedistributionType", "instanceRedistributionType is for regional groups."


@rule(GROUP, REGION_GROUP)
def stateful(case: Case) -> Iterator[Problem]:
    """Updates of a stateful group keep names and state, so they RECREATE without surge, and regional ones do
    not redistribute: https://cloud.google.com/compute/docs/instance-groups/configuring-stateful-migs"""
    held = case.given("statefulDisks", "statefulInternalIps", "statefulExternalIps")
    if not held:
        return
    if (
        case.given("updatePolicy")
        and case.get("updatePolicy.type") == "PROACTIVE"
        and (
            case.get("updatePolicy.replacementMethod") != "RECREATE"
            or case.get("updatePolicy.maxSurgeFixed") != 0
        )
    ):
        yield (
            "updatePolicy",
            "A stateful group is updated with replacementMethod RECREATE and maxSurgeFixed 0.",
        )
    if case.kind.token == REGION_GROUP and case.get("updatePolicy.instanceRedistributionType") != "NONE":
        yield (
            "updatePolicy.instanceRedistributionType",
            "A stateful regional group needs instanceRedistributionType NONE.",
        )


@rule(GROUP, REGION_GROUP)
def waiting(case: Case) -> Iterator[Problem]:
    """The provider's own documentation of waitForInstancesStatus, and of versions."""
    status = case.get("waitForInstancesStatus")
    if status and status not in ("STABLE", "UPDATED"):
        yield "waitForInstancesStatus", f"waitForInstancesStatus is STABLE or UPDATED, not {status!r}."
    versions = case.get("versions", [])
    if len([item for item in versions if not item.get("targetSize")]) != 1:
        yield "versions", "Exactly one version of a group goes without targetSize: it takes the rest."
    if not case.variable("zone" if case.kind.token == GROUP else "region"):
        yield "zone", "A managed instance group needs its zone or region."


@rule("gcp:compute/resizeRequest:ResizeRequest")
def resize(case: Case) -> Iterator[Problem]:
    """10 minutes to 7 days: https://cloud.google.com/compute/docs/instance-groups/create-resize-requests-mig"""
    seconds = case.get("requestedRunDuration.seconds")
    # What is no number is Google's own refusal, not this one's.
    if seconds is not None and seconds.isdigit() and not 600 <= int(seconds) <= WEEK:
        yield "requestedRunDuration.seconds", f"A resize request runs 600 to {WEEK} seconds, not {seconds}."
    if case.get("resizeBy", 1) < 1:
        yield "resizeBy", "resizeBy is at least 1."
