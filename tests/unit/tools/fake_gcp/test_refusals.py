"""Inputs that Google refuses, one row a case: the type, the change of its accepted example, the sentence.

A path such as `nodeConfig.diskType` names the input, a number in it an element of a list; None removes it.
"""

import copy
from typing import Any

import pytest

from tools.fake_gcp.checks import check
from tools.fake_gcp.schema.example_parts import CONFIG
from tools.fake_gcp.schema.examples import EXAMPLES
from tools.fake_gcp.schema.kind import UNKNOWN

POOL = "gcp:container/nodePool:NodePool"
CLUSTER = "gcp:container/cluster:Cluster"
TEMPLATE = "gcp:compute/instanceTemplate:InstanceTemplate"
GROUP = "gcp:compute/instanceGroupManager:InstanceGroupManager"
REGION_GROUP = "gcp:compute/regionInstanceGroupManager:RegionInstanceGroupManager"
BUCKET = "gcp:storage/bucket:Bucket"
SUBNET = "gcp:compute/subnetwork:Subnetwork"
FIREWALL = "gcp:compute/firewall:Firewall"
NAT = "gcp:compute/routerNat:RouterNat"
CHECK = "gcp:compute/healthCheck:HealthCheck"
BACKEND = "gcp:compute/regionBackendService:RegionBackendService"
FRONT = "gcp:compute/forwardingRule:ForwardingRule"
DISK = "gcp:compute/disk:Disk"
RESIZE = "gcp:compute/resizeRequest:ResizeRequest"
SECRET = "gcp:secretmanager/secret:Secret"
IMAGES = "gcp:artifactregistry/repository:Repository"
KEY = "gcp:kms/cryptoKey:CryptoKey"
ACCOUNT = "gcp:serviceaccount/account:Account"
ROLE = "gcp:projects/iAMCustomRole:IAMCustomRole"
GRANT = "gcp:projects/iAMMember:IAMMember"
POOL_ID = "gcp:iam/workloadIdentityPool:WorkloadIdentityPool"
OIDC = "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider"
TPU = "gcp:tpu/v2Vm:V2Vm"
CERTIFICATE = "gcp:certificatemanager/certificate:Certificate"
ENTRY = "gcp:certificatemanager/certificateMapEntry:CertificateMapEntry"
SLO = "gcp:monitoring/slo:Slo"
UPTIME = "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig"
ALERT = "gcp:monitoring/alertPolicy:AlertPolicy"
BUDGET = "gcp:billing/budget:Budget"


def promql(**changed: str) -> dict[str, Any]:
    """Return a condition of an alert on a query."""
    query = {"query": "sum(up) < 1", "duration": "120s", "disableMetricValidation": True, **changed}
    return {"displayName": "x", "conditionPrometheusQueryLanguage": query}


FLEX = {
    "nodeConfig.flexStart": True,
    "management.autoRepair": False,
    "initialNodeCount": 0,
    "autoscaling": {"minNodeCount": 0, "maxNodeCount": 1, "locationPolicy": "ANY"},
    "upgradeSettings": None,
}
SPOT = {
    "scheduling": {
        "provisioningModel": "SPOT",
        "preemptible": True,
        "automaticRestart": False,
        "onHostMaintenance": "TERMINATE",
    }
}
FLEX_VM = {
    "scheduling": {
        "provisioningModel": "FLEX_START",
        "automaticRestart": False,
        "onHostMaintenance": "TERMINATE",
        "instanceTerminationAction": "DELETE",
        "maxRunDuration": {"seconds": 604800},
    },
    "reservationAffinity": {"type": "NO_RESERVATION"},
}
WINDOW = "maintenancePolicy.recurringWindow"

ACCEPTED = [
    (ALERT, {"conditions": [promql(evaluationInterval="60s")]}),
    (
        ALERT,
        {
            "conditions": [{"displayName": "x", "conditionMatchedLog": {"filter": "severity=ERROR"}}],
            "alertStrategy": {"notificationRateLimit": {"period": "300s"}},
        },
    ),
    (BUDGET, {"amount": {"lastPeriodAmount": True}}),
    (BUDGET, {"allUpdatesRule": None}),
    (POOL, FLEX),
    (POOL, {"nodeConfig.spot": True}),
    (
        POOL,
        {
            "nodeConfig.reservationAffinity": {
                "consumeReservationType": "SPECIFIC_RESERVATION",
                "key": "compute.googleapis.com/reservation-name",
                "values": ["v6e"],
            }
        },
    ),
    (POOL, {"nodeConfig.machineType": "e2-standard-4", "nodeConfig.diskType": "pd-balanced"}),
    (
        POOL,
        # Eight chips of two hosts: this pool must state its topology.
        {"placementPolicy": {"type": "COMPACT", "tpuTopology": "2x4"}, "initialNodeCount": 2},
    ),
    (TEMPLATE, SPOT),
    (TEMPLATE, FLEX_VM),
    (TEMPLATE, {"name": None, "namePrefix": "tpu-"}),
    (GROUP, {"updatePolicy.maxSurgeFixed": 1, "updatePolicy.maxUnavailableFixed": 0}),
    (SECRET, {"replication": {"userManaged": {"replicas": [{"location": "us-east5"}]}}}),
]

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    # What the discovery documents know: names, types, enums, patterns, ranges, formats.
    (POOL, {"nodeConfig.machineTyp": "ct6e-standard-4t"}, "the nearest that exists is 'machineType'"),
    (POOL, {"nodeConfig.taints.0.effect": "NoSchedule"}, "accepts NO_SCHEDULE, PREFER_NO_SCHEDULE"),
    (POOL, {"nodeConfig.workloadMetadataConfig.mode": "GKE"}, "accepts GCE_METADATA, GKE_METADATA"),
    (POOL, {"nodeConfig.diskSizeGb": 3000000000}, "takes -2147483648 to 2147483647"),
    (POOL, {"nodeConfig.maxRunDuration": "7d"}, 'a number of seconds such as "3600s"'),
    (POOL, {"cluster": None}, "needs 'cluster', and it is not set"),
    (CLUSTER, {"releaseChannel.channel": "regular"}, "accepts RAPID, REGULAR, STABLE"),
    (CLUSTER, {f"{WINDOW}.startTime": "Saturday"}, 'a time such as "2026-01-01T00:00:00Z"'),
    (CLUSTER, {"nodePools": [{"name": "a"}]}, "declare each pool as its own NodePool"),
    (CLUSTER, {"tpuConfig": {"enabled": True}}, "does not know how Google takes it"),
    (TEMPLATE, {"name": "TPU_v6e"}, "takes names that match"),
    (TEMPLATE, {"scheduling.provisioningModel": "FLEX"}, "accepts FLEX_START, RESERVATION_BOUND"),
    (TEMPLATE, {"disks": []}, "exactly one boot disk, and this one has 0"),
    (SUBNET, {"region": "us east"}, "takes what matches"),
    (BUCKET, {"versioning": True}, "is a group of inputs, and True is none"),
    (BUCKET, {"lables": {"a": "b"}}, "the nearest that exists is 'labels'"),
    ("gcp:monitoring/dashboard:Dashboard", {"dashboardJson": "{"}, "cannot be read"),
    ("gcp:monitoring/dashboard:Dashboard", {"dashboardJson": '{"titel": 1}'}, "has no field 'titel'"),
    ("gcp:kms/cryptoKey:CryptoKey", {"keyRing": "tpu"}, "and 'tpu' does not"),
    (FIREWALL, {"direction": "IN"}, "the provider accepts INGRESS, EGRESS"),
    # Everything: labels, projects, places.
    (BUCKET, {"labels": {"Phase": "peak"}}, "the label key 'Phase' must be"),
    (BUCKET, {"labels": {"phase": "Peak 1"}}, "the value 'Peak 1' of label 'phase'"),
    (CLUSTER, {"resourceLabels": {f"k{i}": "v" for i in range(65)}}, "Google allows 64 labels"),
    (BUCKET, {"project": "Acme"}, "The project id 'Acme' must be"),
    (POOL, {"nodeLocations": ["us-east5"]}, "'us-east5' is no zone"),
    # TPU node pools.
    (POOL, {"placementPolicy": {"type": "COMPACT", "tpuTopology": "2x2"}}, "takes no placementPolicy"),
    (POOL, {"placementPolicy": {"type": "COMPACT"}}, "takes no placementPolicy"),
    (POOL, {"nodeConfig.diskType": "pd-balanced"}, "hyperdisk-ml disks, not pd-balanced"),
    (POOL, {"nodeConfig.diskType": None}, "must name hyperdisk-balanced"),
    (POOL, {"nodeLocations": ["us-east5-a", "us-east5-b"]}, "exactly one zone, and these are 2"),
    (POOL, {"nodeLocations": ["us-central1-a"]}, "does not exist in zone us-central1-a; in this region"),
    (POOL, {"nodeConfig.imageType": "UBUNTU_CONTAINERD"}, "run Container-Optimized OS"),
    (
        POOL,
        {"nodeConfig.reservationAffinity": {"consumeReservationType": "SPECIFIC_RESERVATION"}},
        "needs key compute.googleapis.com/reservation-name and values",
    ),
    (
        POOL,
        {"nodeConfig.reservationAffinity": {"consumeReservationType": "NO_RESERVATION", "values": ["x"]}},
        "NO_RESERVATION takes no key and no values",
    ),
    (POOL, {"nodeConfig.spot": True, "nodeConfig.preemptible": True}, "not spot and preemptible"),
    (POOL, {**FLEX, "nodeConfig.spot": True}, "not spot and flexStart"),
    (POOL, {**FLEX, "management.autoRepair": True}, "must turn autoRepair off"),
    (POOL, {**FLEX, "nodeConfig.reservationAffinity": None}, "must state NO_RESERVATION"),
    (POOL, {**FLEX, "autoscaling": None}, "needs autoscaling"),
    (POOL, {**FLEX, "initialNodeCount": 1}, "begins empty: initialNodeCount must be 0"),
    (POOL, {**FLEX, "upgradeSettings": {"strategy": "SURGE", "maxSurge": 1}}, "leave upgradeSettings out"),
    (POOL, {**FLEX, "nodeConfig.maxRunDuration": "604801s"}, "604800s (7 days), not 604801s"),
    (POOL, {"autoscaling": {"minNodeCount": 2, "maxNodeCount": 1}}, "minNodeCount (2) exceeds"),
    (POOL, {"autoscaling": {"totalMinNodeCount": 0, "totalMaxNodeCount": 1}}, "not the totals"),
    (POOL, {"autoscaling": {"minNodeCount": 0, "totalMaxNodeCount": 1}}, "exclude each other"),
    (POOL, {"autoscaling": {"minNodeCount": 0}}, "autoscaling needs maxNodeCount"),
    (POOL, {"upgradeSettings": {"maxSurge": 0, "maxUnavailable": 0}}, "no node could be upgraded"),
    (POOL, {"upgradeSettings": {"strategy": "BLUE_GREEN", "maxSurge": 1}}, "are for SURGE"),
    (POOL, {"name": "v" * 41}, "has 41 characters: GKE takes up to 40"),
    # Clusters.
    (CLUSTER, {"name": "Serving"}, "GKE takes up to 40 lower-case letters"),
    (CLUSTER, {"privateClusterConfig.masterIpv4CidrBlock": "172.16.0.0/24"}, "a private /28 range"),
    (
        CLUSTER,
        {"privateClusterConfig.enablePrivateEndpoint": True, "masterAuthorizedNetworksConfig": None},
        "nobody could reach it",
    ),
    (CLUSTER, {"networkPolicy": {"enabled": True}}, "leave networkPolicy out"),
    (
        CLUSTER,
        {"masterAuthorizedNetworksConfig.cidrBlocks.0.cidrBlock": "10.0.0.1/8"},
        "'10.0.0.1/8' is no IPv4 range",
    ),
    (CLUSTER, {"workloadIdentityConfig.workloadPool": "acme.svc.id.goog"}, "acme-tpu-prod.svc.id.goog, not"),
    (CLUSTER, {"workloadIdentityConfig": None}, "needs workloadIdentityConfig"),
    (CLUSTER, {"initialNodeCount": None}, "must be at least 1"),
    (CLUSTER, {"enableAutopilot": True}, "has no default node pool to remove"),
    (CLUSTER, {f"{WINDOW}.endTime": "2026-01-03T04:00:00Z"}, "at least 4 hours, not 2"),
    (CLUSTER, {f"{WINDOW}.recurrence": "every Saturday"}, "no RFC 5545 recurrence"),
    (
        CLUSTER,
        {"maintenancePolicy.maintenanceExclusions.0.endTime": "2027-02-01T00:00:00Z"},
        "lasts at most 30 days",
    ),
    (
        CLUSTER,
        {"maintenancePolicy.maintenanceExclusions.0.endTime": None},
        "needs endTime or endTimeBehavior, and not both",
    ),
    (CLUSTER, {"minMasterVersion": "v1.35"}, "no version such as 1.35"),
    # Instance templates and groups.
    (TEMPLATE, {"disks.0.diskType": "pd-ssd"}, "hyperdisk-ml disks, not pd-ssd"),
    (TEMPLATE, {"disks.0.diskType": "hyperdisk-ml"}, "cannot be a boot disk"),
    (TEMPLATE, {"disks.0.diskSizeGb": 2}, "has 4 to 65536 GB, not 2"),
    (TEMPLATE, {"disks.0.sourceImage": None}, "A boot disk needs sourceImage"),
    (TEMPLATE, {"scheduling": {"onHostMaintenance": "MIGRATE"}}, "must be TERMINATE"),
    (
        TEMPLATE,
        {"scheduling.provisioningModel": "SPOT"},
        "preemptible and provisioningModel SPOT go together",
    ),
    (TEMPLATE, {"scheduling": {**SPOT["scheduling"], "automaticRestart": True}}, "is not restarted"),
    (TEMPLATE, {**FLEX_VM, "reservationAffinity": None}, "must state NO_RESERVATION"),
    (TEMPLATE, {**FLEX_VM, "scheduling.maxRunDuration.seconds": 604801}, "at most 604800 seconds"),
    (TEMPLATE, {"reservationAffinity": {"type": "SPECIFIC_RESERVATION"}}, "go together"),
    (TEMPLATE, {"scheduling.instanceTerminationAction": "STOP"}, "ends only with maxRunDuration"),
    (TEMPLATE, {"metadata": {"startup script": "x"}}, "The metadata key 'startup script'"),
    (TEMPLATE, {"metadata": {"startup-script": "x" * 262145}}, "exceeds 256 KiB"),
    (TEMPLATE, {"tags": ["VLLM"]}, "The network tag 'VLLM'"),
    (TEMPLATE, {"networkInterfaces": None}, "needs a network interface"),
    (GROUP, {"autoHealingPolicies.initialDelaySec": 3601}, "0 to 3600 seconds, not 3601"),
    (GROUP, {"updatePolicy.maxUnavailableFixed": 0}, "no instance could be updated"),
    (GROUP, {"updatePolicy.maxSurgePercent": 50}, "fixed or a percentage, not both"),
    (GROUP, {"updatePolicy.replacementMethod": "RECREATE", "updatePolicy.maxSurgeFixed": 1}, "must be 0"),
    (GROUP, {"statefulDisks": [{"deviceName": "data"}]}, "A stateful group is updated with"),
    (GROUP, {"waitForInstancesStatus": "HEALTHY"}, "STABLE or UPDATED"),
    (GROUP, {"versions.0.targetSize": {"fixed": 1}}, "Exactly one version"),
    (GROUP, {"zone": None}, "needs 'zone'"),
    (REGION_GROUP, {"distributionPolicyZones": ["us-east5-a", "us-east5-b"]}, "number of zones (2), not 1"),
    (RESIZE, {"requestedRunDuration.seconds": "60"}, "runs 600 to 604800 seconds"),
    (DISK, {"type": "hyperdisk-balanced"}, "READ_ONLY_MANY is for hyperdisk-ml"),
    (DISK, {"provisionedIops": 3000}, "has no provisioned IOPS"),
    # Network and load balancing.
    (SUBNET, {"ipCidrRange": "10.0.0.1/20"}, "whose host bits are zero"),
    (SUBNET, {"secondaryIpRanges.0.ipCidrRange": "10.0.8.0/24"}, "overlaps 10.0.0.0/20"),
    (FIREWALL, {"denies": [{"protocol": "tcp"}]}, "exactly one of allows, denies"),
    (FIREWALL, {"allows.0.ports": ["http"]}, "is no port"),
    (FIREWALL, {"allows.0.protocol": "icmp"}, "Only tcp, udp and sctp have ports"),
    (FIREWALL, {"priority": 70000}, "is 0 to 65535, not 70000"),
    (NAT, {"natIpAllocateOption": "MANUAL_ONLY"}, "needs natIps"),
    (NAT, {"sourceSubnetworkIpRangesToNat": "LIST_OF_SUBNETWORKS"}, "go together"),
    (CHECK, {"timeoutSec": 11}, "timeoutSec (11) may not exceed checkIntervalSec (10)"),
    (CHECK, {"tcpHealthCheck": {"port": 1}}, "takes exactly one of"),
    (BACKEND, {"protocol": "HTTP"}, "speaks TCP, UDP, UNSPECIFIED, not HTTP"),
    (BACKEND, {"backends.0.balancingMode": "UTILIZATION"}, "balance by CONNECTION"),
    (FRONT, {"ports": [str(port) for port in range(6)]}, "at most five ports"),
    (FRONT, {"backendService": None}, "needs backendService"),
    # Data.
    (BUCKET, {"name": "Acme"}, "The bucket name 'Acme' must be"),
    (BUCKET, {"name": "my-google-bucket"}, "nor contain google"),
    (BUCKET, {"storageClass": "HOT"}, "'HOT' is no storage class"),
    (BUCKET, {"publicAccessPrevention": "on"}, "inherited or enforced"),
    (BUCKET, {"softDeletePolicy.retentionDurationSeconds": 3600}, "604800 to 7776000 seconds"),
    (BUCKET, {"lifecycleRules.0.action.type": "Archive"}, "A lifecycle action is Delete"),
    (BUCKET, {"lifecycleRules.0.condition": {}}, "at least one condition"),
    (BUCKET, {"hierarchicalNamespace": {"enabled": True}}, "cannot have object versioning"),
    (SECRET, {"secretId": "hf/token"}, "The secret id 'hf/token'"),
    (SECRET, {"replication": {}}, "either auto or userManaged"),
    (IMAGES, {"repositoryId": "VLLM"}, "The repository id 'VLLM'"),
    (IMAGES, {"mode": "STANDARD_REPOSITORY"}, "go together; the mode is STANDARD_REPOSITORY"),
    (KEY, {"rotationPeriod": "3600s"}, "at most once a day"),
    # Identity.
    (ACCOUNT, {"accountId": "vllm"}, "has 4 characters: it must be 6 to 30"),
    (ACCOUNT, {"accountId": "a" * 31}, "has 31 characters"),
    (ROLE, {"permissions": ["storage.*"]}, "is no permission"),
    (GRANT, {"member": "server"}, "'server' is no principal"),
    (GRANT, {"role": "storage.admin"}, "'storage.admin' is no role"),
    (GRANT, {"member": "allUsers"}, "cannot be granted"),
    (POOL_ID, {"workloadIdentityPoolId": "gcp-github"}, "not begin with gcp-"),
    (OIDC, {"attributeMapping": {"attribute.actor": "assertion.actor"}}, "must map google.subject"),
    (OIDC, {"oidc": None}, "exactly one of aws, oidc, saml, x509"),
    ("gcp:projects/service:Service", {"service": "compute"}, "named like compute.googleapis.com"),
    # Cloud TPU, certificates, monitoring.
    (TPU, {"acceleratorConfig": {"type": "V6E", "topology": "2x2"}}, "not by both"),
    (TPU, {"runtimeVersion": "tpu-ubuntu2204-base"}, "needs the runtime v2-alpha-tpuv6e"),
    (TPU, {"schedulingConfig.preemptible": True}, "spot or preemptible"),
    (CERTIFICATE, {"managed.domains": ["*.example.com"]}, "needs a DNS authorization"),
    (CERTIFICATE, {"selfManaged": {"pemCertificate": "x", "pemPrivateKey": "y"}}, "secret value"),
    (ENTRY, {"matcher": "PRIMARY"}, "exactly one of hostname, matcher"),
    (SLO, {"goal": 1.0}, "at most 0.9999, not 1"),
    (SLO, {"rollingPeriodDays": 31}, "1 to 30 days"),
    (UPTIME, {"period": "30s"}, "not 30s"),
    (ALERT, {"conditions.0.conditionThreshold.duration": "90s"}, "a multiple of 60s"),
    (
        ALERT,
        {"conditions": [{"displayName": "x", "conditionMatchedLog": {"filter": "severity=ERROR"}}]},
        "needs alertStrategy.notificationRateLimit",
    ),
    (ALERT, {"conditions": [promql(evaluationInterval="45s")]}, "multiples of 30s, not 45s"),
    (ALERT, {"conditions": [promql(evaluationInterval="0s")]}, "multiples of 30s, not 0s"),
    (BUDGET, {"amount": {}}, "exactly one of"),
    (BUDGET, {"allUpdatesRule": {"schemaVersion": "1.0"}}, "needs a notification channel"),
    (
        BUDGET,
        {"allUpdatesRule.monitoringNotificationChannels": ["projects/p/notificationChannels/1"] * 6},
        "at most 5 channels, not 6",
    ),
    (BUDGET, {"budgetFilter.labels": {"stack": "prod", "app": "tpuserve"}}, "a single label"),
    (BUDGET, {"displayName": "x" * 61}, "at most 60 characters"),
    (BUDGET, {"thresholdRules.0.spendBasis": "SPENT"}, "accepts CURRENT_SPEND, FORECASTED_SPEND"),
]


def varied(token: str, changes: dict[str, Any]) -> dict[str, Any]:
    """The type's example with changes at dotted paths."""
    inputs = copy.deepcopy(EXAMPLES[token])
    for path, value in changes.items():
        place: Any = inputs
        *stem, last = path.split(".")
        for part in stem:
            place = place[int(part)] if part.isdigit() else place.setdefault(part, {})
        if value is None:
            place.pop(last, None)
        else:
            place[last] = copy.deepcopy(value)
    return inputs


@pytest.mark.parametrize(("token", "changes", "sentence"), REFUSED)
def test_refused(token: str, changes: dict[str, Any], sentence: str) -> None:
    found = check.check(token, varied(token, changes), CONFIG)
    assert any(sentence in text for _, text in found), found
    assert all(text.endswith(".") and UNKNOWN not in text for _, text in found)


@pytest.mark.parametrize(("token", "changes"), ACCEPTED)
def test_accepted(token: str, changes: dict[str, Any]) -> None:
    assert check.check(token, varied(token, changes), CONFIG) == []
