"""The larger examples, which tests also vary: template, group, cluster, node pool, bucket."""

from typing import Any

P = "projects/acme-tpu-prod"
NETWORK = f"{P}/global/networks/tpu"
SUBNETWORK = f"{P}/regions/us-east5/subnetworks/tpu"
SERVER = "serviceAccount:server@acme-tpu-prod.iam.gserviceaccount.com"
CONFIG = {"project": "acme-tpu-prod", "region": "us-east5"}
"""Provider configuration that the examples assume."""

TEMPLATE: dict[str, Any] = {
    "name": "tpu-v6e-4",
    "machineType": "ct6e-standard-4t",
    "disks": [
        {
            "boot": True,
            "sourceImage": "projects/ubuntu-os-accelerator-images/global/images/family/ubuntu-accel",
            "diskType": "hyperdisk-balanced",
            "diskSizeGb": 200,
        }
    ],
    "networkInterfaces": [{"subnetwork": SUBNETWORK}],
    "scheduling": {"onHostMaintenance": "TERMINATE", "automaticRestart": True},
    "metadata": {"enable-oslogin": "TRUE"},
    "tags": ["vllm"],
    "labels": {"phase": "peak"},
    "serviceAccount": {
        "email": "server@acme-tpu-prod.iam.gserviceaccount.com",
        "scopes": ["https://www.googleapis.com/auth/cloud-platform"],
    },
}
GROUP: dict[str, Any] = {
    "name": "vllm",
    "baseInstanceName": "vllm",
    "zone": "us-east5-b",
    "targetSize": 1,
    "versions": [{"instanceTemplate": f"{P}/global/instanceTemplates/tpu-v6e-4"}],
    "autoHealingPolicies": {
        "healthCheck": f"{P}/global/healthChecks/vllm",
        "initialDelaySec": 3600,
    },
    "updatePolicy": {
        "type": "PROACTIVE",
        "minimalAction": "REPLACE",
        "replacementMethod": "SUBSTITUTE",
        "maxSurgeFixed": 0,
        "maxUnavailableFixed": 1,
    },
    "waitForInstances": True,
    "waitForInstancesStatus": "STABLE",
}
CLUSTER: dict[str, Any] = {
    "name": "serving",
    "location": "us-east5",
    "network": NETWORK,
    "subnetwork": SUBNETWORK,
    "initialNodeCount": 1,
    "removeDefaultNodePool": True,
    "deletionProtection": True,
    "releaseChannel": {"channel": "REGULAR"},
    "datapathProvider": "ADVANCED_DATAPATH",
    "workloadIdentityConfig": {"workloadPool": "acme-tpu-prod.svc.id.goog"},
    "ipAllocationPolicy": {"clusterSecondaryRangeName": "pods", "servicesSecondaryRangeName": "services"},
    "privateClusterConfig": {"enablePrivateNodes": True, "masterIpv4CidrBlock": "172.16.0.0/28"},
    "masterAuthorizedNetworksConfig": {"cidrBlocks": [{"cidrBlock": "10.0.0.0/8", "displayName": "vpn"}]},
    "addonsConfig": {
        "gcsFuseCsiDriverConfig": {"enabled": True},
        "gcePersistentDiskCsiDriverConfig": {"enabled": True},
    },
    "secretManagerConfig": {"enabled": True},
    "gatewayApiConfig": {"channel": "CHANNEL_STANDARD"},
    "monitoringConfig": {
        "enableComponents": ["SYSTEM_COMPONENTS"],
        "managedPrometheus": {"enabled": True},
    },
    "loggingConfig": {"enableComponents": ["SYSTEM_COMPONENTS", "WORKLOADS"]},
    "maintenancePolicy": {
        "recurringWindow": {
            "startTime": "2026-01-03T02:00:00Z",
            "endTime": "2026-01-03T08:00:00Z",
            "recurrence": "FREQ=WEEKLY;BYDAY=SA,SU",
        },
        "maintenanceExclusions": [
            {
                "exclusionName": "launch",
                "startTime": "2026-12-20T00:00:00Z",
                "endTime": "2027-01-05T00:00:00Z",
                "exclusionOptions": {"scope": "NO_UPGRADES"},
            }
        ],
    },
    "resourceLabels": {"phase": "peak"},
}
POOL: dict[str, Any] = {
    "name": "tpu-v6e-4",
    "cluster": f"{P}/locations/us-east5/clusters/serving",
    "nodeLocations": ["us-east5-b"],
    "initialNodeCount": 1,
    "management": {"autoRepair": True, "autoUpgrade": True},
    "upgradeSettings": {"strategy": "SURGE", "maxSurge": 0, "maxUnavailable": 1},
    "nodeDrainConfigs": [{"respectPdbDuringNodePoolDeletion": True}],
    "nodeConfig": {
        "machineType": "ct6e-standard-4t",
        "diskType": "hyperdisk-balanced",
        "diskSizeGb": 100,
        "imageType": "COS_CONTAINERD",
        "reservationAffinity": {"consumeReservationType": "NO_RESERVATION"},
        "serviceAccount": "nodes@acme-tpu-prod.iam.gserviceaccount.com",
        "oauthScopes": ["https://www.googleapis.com/auth/cloud-platform"],
        "shieldedInstanceConfig": {"enableSecureBoot": True, "enableIntegrityMonitoring": True},
        "workloadMetadataConfig": {"mode": "GKE_METADATA"},
        "labels": {"pool": "tpu"},
        "taints": [{"key": "google.com/tpu", "value": "present", "effect": "NO_SCHEDULE"}],
        "gvnic": {"enabled": True},
    },
}
BUCKET: dict[str, Any] = {
    "name": "acme-tpu-artifacts",
    "location": "US-EAST5",
    "storageClass": "STANDARD",
    "uniformBucketLevelAccess": True,
    "publicAccessPrevention": "enforced",
    "versioning": {"enabled": True},
    "softDeletePolicy": {"retentionDurationSeconds": 604800},
    "lifecycleRules": [
        {
            "action": {"type": "Delete"},
            "condition": {"numNewerVersions": 3, "withState": "ARCHIVED", "matchesPrefixes": ["xla/"]},
        }
    ],
    "labels": {"phase": "peak"},
}
CHECK: dict[str, Any] = {
    "name": "vllm",
    "checkIntervalSec": 10,
    "timeoutSec": 5,
    "unhealthyThreshold": 6,
    "httpHealthCheck": {"port": 8000, "requestPath": "/health"},
}
REPOSITORY: dict[str, Any] = {
    "repositoryId": "vllm",
    "location": "us-east5",
    "format": "DOCKER",
    "mode": "REMOTE_REPOSITORY",
    "remoteRepositoryConfig": {"dockerRepository": {"publicRepository": "DOCKER_HUB"}},
    "cleanupPolicies": [{"id": "old", "action": "DELETE", "condition": {"olderThan": "2592000s"}}],
    "labels": {"phase": "peak"},
}


def grant(role: str, **where: str) -> dict[str, Any]:
    """Returns a grant of one role to the server's account."""
    return {"role": role, "member": SERVER, **where}


KEY = f"{P}/locations/us-east5/keyRings/tpu/cryptoKeys/artifacts"
ALERT: dict[str, Any] = {
    "displayName": "no answer",
    "combiner": "OR",
    "conditions": [
        {
            "displayName": "no answer for five minutes",
            "conditionThreshold": {
                "filter": 'metric.type="run.googleapis.com/request_count"',
                "comparison": "COMPARISON_GT",
                "duration": "300s",
                "thresholdValue": 1,
            },
        }
    ],
}
