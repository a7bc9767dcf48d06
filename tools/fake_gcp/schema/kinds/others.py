"""Certificate Manager, Cloud TPU, Monitoring, Logging, budgets."""

import json
from typing import Any

from tools.fake_gcp.schema.kind import Kind, add
from tools.fake_gcp.schema.kinds.instances import DISK

MAP = "gcp:certificatemanager/certificateMap:CertificateMap"
SERVICE = "gcp:monitoring/customService:CustomService"
PROJECT = "projects/{project}"
GLOBAL = f"{PROJECT}/locations/global"
ZONE = f"{PROJECT}/locations/{{zone}}"
CLEAR_SECRET = "it would put a secret value into the state; set it out of band."


def dashboard(text: str) -> dict[str, Any]:
    """The provider takes the whole dashboard as JSON."""
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError(f"it holds {found!r}, and a dashboard is an object")
    return found


def last_period_amount(used: bool) -> dict[str, Any]:
    """The provider takes a switch, and the API an empty message."""
    return {"lastPeriodAmount": {}} if used else {}


def budget_labels(labels: dict[str, str]) -> dict[str, Any]:
    """The API takes a list of values for each label."""
    return {"labels": {name: [value] for name, value in labels.items()}}


def rolling_period(days: float) -> dict[str, Any]:
    """Returns the period in seconds, as the API counts; the provider counts days."""
    return {"rollingPeriod": f"{int(days) * 86400}s"}


add(
    Kind(
        "gcp:certificatemanager/certificate:Certificate",
        "certificatemanager.projects.locations.certificates.create",
        "projects/{project}/locations/{location}/certificates/{name}",
        rename={"name": ""},
        url={"parent": "projects/{project}/locations/{location}"},
        defaults={"location": "global"},
        unsupported={"selfManaged": CLEAR_SECRET},
    ),
    Kind(
        MAP,
        "certificatemanager.projects.locations.certificateMaps.create",
        f"{GLOBAL}/certificateMaps/{{name}}",
        rename={"name": ""},
        url={"parent": GLOBAL},
        computed={"createTime": "{time}"},
    ),
    Kind(
        "gcp:certificatemanager/certificateMapEntry:CertificateMapEntry",
        "certificatemanager.projects.locations.certificateMaps.certificateMapEntries.create",
        f"{GLOBAL}/certificateMaps/{{map}}/certificateMapEntries/{{name}}",
        rename={"map": "", "name": ""},
        url={"parent": f"{GLOBAL}/certificateMaps/{{map}}"},
        refs={"map": MAP},
        computed={"createTime": "{time}", "state": "ACTIVE"},
    ),
    Kind(
        "gcp:certificatemanager/dnsAuthorization:DnsAuthorization",
        "certificatemanager.projects.locations.dnsAuthorizations.create",
        "projects/{project}/locations/{location}/dnsAuthorizations/{name}",
        rename={"name": ""},
        url={"parent": "projects/{project}/locations/{location}"},
        defaults={"location": "global"},
        computed={
            "dnsResourceRecords": [
                {
                    "data": "{serial}.authorize.certificatemanager.goog.",
                    "name": "_acme-challenge.{domain}.",
                    "type": "CNAME",
                }
            ]
        },
    ),
    Kind(
        "gcp:tpu/v2Vm:V2Vm",
        "tpu.projects.locations.nodes.create",
        f"{ZONE}/nodes/{{name}}",
        rename={"name": "", "serviceAccount.scopes": "scope"},
        url={"parent": ZONE},
        refs={"dataDisks.sourceDisk": DISK},
        computed={"state": "READY", "health": "HEALTHY", "apiVersion": "V2", "zone": "{zone}"},
    ),
    Kind(
        "gcp:tpu/v2QueuedResource:V2QueuedResource",
        "tpu.projects.locations.queuedResources.create",
        f"{ZONE}/queuedResources/{{name}}",
        rename={"name": "", "tpu.nodeSpecs": "nodeSpec"},
        url={"parent": ZONE},
    ),
    Kind(
        "gcp:monitoring/alertPolicy:AlertPolicy",
        "monitoring.projects.alertPolicies.create",
        f"{PROJECT}/alertPolicies/{{serial}}",
        rename={"alertStrategy.notificationChannelStrategies": "notificationChannelStrategy"},
        url={"name": PROJECT},
        computed={"name": f"{PROJECT}/alertPolicies/{{serial}}"},
    ),
    Kind(
        "gcp:monitoring/notificationChannel:NotificationChannel",
        "monitoring.projects.notificationChannels.create",
        f"{PROJECT}/notificationChannels/{{serial}}",
        rename={"forceDelete": ""},
        url={"name": PROJECT},
        unsupported={"sensitiveLabels": CLEAR_SECRET},
        computed={"name": f"{PROJECT}/notificationChannels/{{serial}}", "verificationStatus": "UNVERIFIED"},
    ),
    Kind(
        "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig",
        "monitoring.projects.uptimeCheckConfigs.create",
        f"{PROJECT}/uptimeCheckConfigs/{{serial}}",
        url={"parent": PROJECT},
        unsupported={"httpCheck.authInfo.password": CLEAR_SECRET},
        computed={"name": f"{PROJECT}/uptimeCheckConfigs/{{serial}}", "uptimeCheckId": "{serial}"},
    ),
    Kind(
        SERVICE,
        "monitoring.services.create",
        "projects/{number}/services/{serviceId}",
        rename={"serviceId": ""},
        url={"parent": PROJECT},
        computed={"name": "projects/{number}/services/{serviceId}"},
    ),
    Kind(
        "gcp:monitoring/slo:Slo",
        "monitoring.services.serviceLevelObjectives.create",
        "projects/{number}/services/{service}/serviceLevelObjectives/{sloId}",
        rename={
            "service": "",
            "sloId": "",
            "basicSli": "serviceLevelIndicator.basicSli",
            "requestBasedSli": "serviceLevelIndicator.requestBased",
            "windowsBasedSli": "serviceLevelIndicator.windowsBased",
            "rollingPeriodDays": rolling_period,
        },
        url={"parent": f"{PROJECT}/services/{{service}}"},
        refs={"service": SERVICE},
        computed={"name": "projects/{number}/services/{service}/serviceLevelObjectives/{sloId}"},
    ),
    Kind(
        "gcp:monitoring/dashboard:Dashboard",
        "monitoring:v1.projects.dashboards.create",
        f"{PROJECT}/dashboards/{{serial}}",
        rename={"dashboardJson": dashboard},
        url={"parent": PROJECT},
    ),
    Kind(
        "gcp:billing/budget:Budget",
        "billingbudgets.billingAccounts.budgets.create",
        "billingAccounts/{billingAccount}/budgets/{serial}",
        rename={
            "billingAccount": "",
            "allUpdatesRule": "notificationsRule",
            "amount.lastPeriodAmount": last_period_amount,
            "budgetFilter.labels": budget_labels,
        },
        url={"parent": "billingAccounts/{billingAccount}"},
        computed={"name": "{serial}"},
    ),
    Kind(
        "gcp:logging/metric:Metric",
        "logging.projects.metrics.create",
        "{name}",
        url={"parent": PROJECT},
    ),
)
