"""Rules for Cloud TPU, certificates, monitoring and budgets."""

import re
from collections.abc import Iterator

from tools.fake_gcp.checks.rules.base import Case, exactly_one, rule, v6e_zone
from tools.fake_gcp.checks.shape import Problem


@rule("gcp:tpu/v2Vm:V2Vm")
def tpu(case: Case) -> Iterator[Problem]:
    """https://cloud.google.com/tpu/docs/reference/rest/v2/projects.locations.nodes and /tpu/docs/v6e."""
    if len(case.given("acceleratorType", "acceleratorConfig")) == 2:
        yield "acceleratorType", "A TPU is described by acceleratorType or acceleratorConfig, not by both."
    kind = case.get("acceleratorType")
    if kind and not re.fullmatch(r"v\d[a-z]*(litepod)?-\d+", kind):
        yield "acceleratorType", f"{kind!r} is no accelerator type: they are named like v6e-4."
    version = str(case.get("runtimeVersion", ""))
    trillium = str(kind).startswith("v6e") or case.get("acceleratorConfig.type") == "V6E"
    if trillium and version and "tpuv6e" not in version:
        yield "runtimeVersion", f"v6e needs the runtime v2-alpha-tpuv6e, not {version!r}."
    if case.get("schedulingConfig.spot") and case.get("schedulingConfig.preemptible"):
        yield "schedulingConfig", "A TPU is spot or preemptible, not both."
    if (case.get("schedulingConfig.spot") or case.get("schedulingConfig.preemptible")) and case.get(
        "schedulingConfig.reserved"
    ):
        yield "schedulingConfig", "A spot TPU cannot use a reservation."
    name = case.get("name")
    if name and not re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", name):
        yield "name", f"The TPU name {name!r} must be 1 to 63 lower-case letters, digits or hyphens."
    yield from v6e_zone(str(kind), "zone", case.variable("zone"))
    if not case.variable("zone"):
        yield "zone", "A TPU needs a zone."


@rule("gcp:certificatemanager/certificate:Certificate")
def certificate(case: Case) -> Iterator[Problem]:
    """https://cloud.google.com/certificate-manager/docs/domain-authorization"""
    domains = case.get("managed.domains", [])
    if not case.given("managed", "selfManaged"):
        yield "managed", "A certificate is managed or selfManaged."
    if any(str(name).startswith("*.") for name in domains) and not case.given("managed.dnsAuthorizations"):
        yield "managed.dnsAuthorizations", "A wildcard domain needs a DNS authorization."
    for name in domains:
        if not re.fullmatch(r"(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}|04da.*", str(name)):
            yield "managed.domains", f"{name!r} is no domain name."


@rule("gcp:certificatemanager/certificateMapEntry:CertificateMapEntry")
def entry(case: Case) -> Iterator[Problem]:
    """Union field `match` of CertificateMapEntry in Certificate Manager's REST reference."""
    yield from exactly_one(case, "hostname", "matcher")


@rule("gcp:monitoring/slo:Slo")
def slo(case: Case) -> Iterator[Problem]:
    """Descriptions of ServiceLevelObjective in the discovery document."""
    goal, days = case.get("goal"), case.get("rollingPeriodDays")
    if goal is not None and not 0 < goal <= 0.9999:
        yield "goal", f"The goal of an SLO is above 0 and at most 0.9999, not {goal}."
    if days is not None and not 1 <= days <= 30:
        yield "rollingPeriodDays", f"The rolling period is 1 to 30 days, not {days}."
    yield from exactly_one(case, "rollingPeriodDays", "calendarPeriod")
    yield from exactly_one(case, "basicSli", "requestBasedSli", "windowsBasedSli")


@rule("gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig")
def uptime(case: Case) -> Iterator[Problem]:
    """Descriptions of UptimeCheckConfig.period and .timeout in the discovery document."""
    period, wait = case.get("period", "300s"), case.get("timeout")
    if period not in ("60s", "300s", "600s", "900s"):
        yield "period", f"An uptime check runs every 60s, 300s, 600s or 900s, not {period}."
    if wait and re.fullmatch(r"\d+s", wait) and not 1 <= int(wait[:-1]) <= 60:
        yield "timeout", f"An uptime check waits 1s to 60s, not {wait}."


@rule("gcp:monitoring/alertPolicy:AlertPolicy")
def alert(case: Case) -> Iterator[Problem]:
    """Descriptions of AlertPolicy.conditions, AlertStrategy.notificationRateLimit and
    PrometheusQueryLanguageCondition.evaluationInterval in the discovery document."""
    if not 1 <= len(case.get("conditions", [{}])) <= 6:
        yield "conditions", "An alert policy has 1 to 6 conditions."
    on_logs = any(item.get("conditionMatchedLog") for item in case.get("conditions", []))
    if on_logs and not case.given("alertStrategy.notificationRateLimit"):
        yield "alertStrategy", "A policy on log entries needs alertStrategy.notificationRateLimit."
    for item in case.get("conditions", []):
        every = (item.get("conditionPrometheusQueryLanguage") or {}).get("evaluationInterval", "")
        if re.fullmatch(r"\d+s", every) and (not int(every[:-1]) or int(every[:-1]) % 30):
            yield (
                "conditions.conditionPrometheusQueryLanguage.evaluationInterval",
                f"A PromQL condition is evaluated in multiples of 30s, not {every}.",
            )
        for name in ("conditionThreshold", "conditionAbsent", "conditionMonitoringQueryLanguage"):
            span = (item.get(name) or {}).get("duration", "")
            if re.fullmatch(r"\d+s", span) and int(span[:-1]) % 60:
                yield (
                    f"conditions.{name}.duration",
                    f"A condition's duration is a multiple of 60s, not {span}.",
                )


@rule("gcp:billing/budget:Budget")
def budget(case: Case) -> Iterator[Problem]:
    """Descriptions of Budget, Filter and NotificationsRule in the discovery document; AtLeastOneOf of the
    provider (google/services/billing/resource_billing_budget.go)."""
    yield from exactly_one(case, "amount.specifiedAmount", "amount.lastPeriodAmount")
    channels = case.get("allUpdatesRule.monitoringNotificationChannels", [])
    if case.given("allUpdatesRule") and not channels and not case.given("allUpdatesRule.pubsubTopic"):
        yield "allUpdatesRule", "A budget's allUpdatesRule needs a notification channel or a topic."
    if len(channels) > 5:
        yield "allUpdatesRule", f"A budget notifies at most 5 channels, not {len(channels)}."
    if len(case.get("budgetFilter.labels", {})) > 1:
        yield "budgetFilter.labels", "A budget's filter has a single label."
    if len(case.get("displayName", "")) > 60:
        yield "displayName", "A budget's name has at most 60 characters."
