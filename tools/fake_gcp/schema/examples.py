"""One input set for each type that Google accepts. Tests corrupt them, and new types start from them."""

from typing import Any

from tools.fake_gcp.schema.example_parts import (
    ALERT,
    BUCKET,
    CHECK,
    CLUSTER,
    GROUP,
    KEY,
    NETWORK,
    POOL,
    REPOSITORY,
    SUBNETWORK,
    TEMPLATE,
    P,
    grant,
)

EXAMPLES: dict[str, dict[str, Any]] = {
    "gcp:compute/network:Network": {
        "name": "tpu",
        "autoCreateSubnetworks": False,
        "routingMode": "REGIONAL",
        "mtu": 8896,
    },
    "gcp:compute/subnetwork:Subnetwork": {
        "name": "tpu",
        "network": NETWORK,
        "ipCidrRange": "10.0.0.0/20",
        "secondaryIpRanges": [
            {"rangeName": "pods", "ipCidrRange": "10.4.0.0/14"},
            {"rangeName": "services", "ipCidrRange": "10.8.0.0/20"},
        ],
        "privateIpGoogleAccess": True,
        "logConfig": {"aggregationInterval": "INTERVAL_5_SEC", "flowSampling": 0.5},
    },
    "gcp:compute/router:Router": {"name": "tpu", "network": NETWORK, "bgp": {"asn": 64514}},
    "gcp:compute/routerNat:RouterNat": {
        "name": "tpu",
        "router": "tpu",
        "natIpAllocateOption": "AUTO_ONLY",
        "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES",
        "logConfig": {"enable": True, "filter": "ERRORS_ONLY"},
    },
    "gcp:compute/firewall:Firewall": {
        "name": "health",
        "network": NETWORK,
        "allows": [{"protocol": "tcp", "ports": ["8000"]}],
        "sourceRanges": ["35.191.0.0/16", "130.211.0.0/22"],
        "targetTags": ["vllm"],
        "priority": 900,
    },
    "gcp:compute/address:Address": {"name": "front", "addressType": "INTERNAL", "subnetwork": SUBNETWORK},
    "gcp:compute/globalAddress:GlobalAddress": {"name": "front", "addressType": "EXTERNAL"},
    "gcp:compute/securityPolicy:SecurityPolicy": {
        "name": "front",
        "rules": [
            {
                "action": "deny(403)",
                "priority": 2147483647,
                "match": {"versionedExpr": "SRC_IPS_V1", "config": {"srcIpRanges": ["*"]}},
            }
        ],
    },
    "gcp:compute/regionSecurityPolicy:RegionSecurityPolicy": {"name": "front", "type": "CLOUD_ARMOR"},
    "gcp:compute/instanceTemplate:InstanceTemplate": TEMPLATE,
    "gcp:compute/regionInstanceTemplate:RegionInstanceTemplate": {**TEMPLATE, "region": "us-east5"},
    "gcp:compute/instanceGroupManager:InstanceGroupManager": GROUP,
    "gcp:compute/regionInstanceGroupManager:RegionInstanceGroupManager": {
        **{name: value for name, value in GROUP.items() if name != "zone"},
        "region": "us-east5",
        "distributionPolicyZones": ["us-east5-b"],
        "distributionPolicyTargetShape": "ANY_SINGLE_ZONE",
    },
    "gcp:compute/resizeRequest:ResizeRequest": {
        "name": "one",
        "instanceGroupManager": "vllm",
        "zone": "us-east5-b",
        "resizeBy": 1,
        "requestedRunDuration": {"seconds": "604800"},
    },
    "gcp:compute/disk:Disk": {
        "name": "weights",
        "zone": "us-east5-b",
        "type": "hyperdisk-ml",
        "size": 200,
        "accessMode": "READ_ONLY_MANY",
    },
    "gcp:compute/reservation:Reservation": {
        "name": "v6e",
        "zone": "us-east5-b",
        "specificReservationRequired": True,
        "specificReservation": {"count": 1, "instanceProperties": {"machineType": "ct6e-standard-4t"}},
    },
    "gcp:compute/resourcePolicy:ResourcePolicy": {
        "name": "slice",
        "workloadPolicy": {"type": "HIGH_THROUGHPUT", "acceleratorTopology": "2x2"},
    },
    "gcp:compute/healthCheck:HealthCheck": CHECK,
    "gcp:compute/regionHealthCheck:RegionHealthCheck": {**CHECK, "region": "us-east5"},
    "gcp:compute/regionBackendService:RegionBackendService": {
        "name": "vllm",
        "loadBalancingScheme": "INTERNAL",
        "protocol": "TCP",
        "healthChecks": f"{P}/regions/us-east5/healthChecks/vllm",
        "backends": [{"group": f"{P}/zones/us-east5-b/instanceGroups/vllm", "balancingMode": "CONNECTION"}],
        "connectionDrainingTimeoutSec": 300,
    },
    "gcp:compute/forwardingRule:ForwardingRule": {
        "name": "vllm",
        "loadBalancingScheme": "INTERNAL",
        "backendService": f"{P}/regions/us-east5/backendServices/vllm",
        "subnetwork": SUBNETWORK,
        "ipProtocol": "TCP",
        "ports": ["8000"],
    },
    "gcp:compute/regionUrlMap:RegionUrlMap": {
        "name": "vllm",
        "defaultService": f"{P}/regions/us-east5/backendServices/vllm",
    },
    "gcp:compute/regionTargetHttpsProxy:RegionTargetHttpsProxy": {
        "name": "vllm",
        "urlMap": f"{P}/regions/us-east5/urlMaps/vllm",
        "certificateManagerCertificates": [f"{P}/locations/us-east5/certificates/front"],
    },
    "gcp:container/cluster:Cluster": CLUSTER,
    "gcp:container/nodePool:NodePool": POOL,
    "gcp:storage/bucket:Bucket": BUCKET,
    "gcp:storage/bucketObject:BucketObject": {
        "name": "README",
        "bucket": "acme-tpu-artifacts",
        "content": "weights and compile caches",
        "contentType": "text/plain",
    },
    "gcp:secretmanager/secret:Secret": {
        "secretId": "hf-token",
        "replication": {"auto": {}},
        "labels": {"phase": "peak"},
    },
    "gcp:artifactregistry/repository:Repository": REPOSITORY,
    "gcp:kms/keyRing:KeyRing": {"name": "tpu", "location": "us-east5"},
    "gcp:kms/cryptoKey:CryptoKey": {
        "name": "artifacts",
        "keyRing": f"{P}/locations/us-east5/keyRings/tpu",
        "rotationPeriod": "7776000s",
        "purpose": "ENCRYPT_DECRYPT",
    },
    "gcp:projects/service:Service": {"service": "compute.googleapis.com", "disableOnDestroy": False},
    "gcp:serviceaccount/account:Account": {"accountId": "server", "displayName": "vLLM"},
    "gcp:projects/iAMCustomRole:IAMCustomRole": {
        "roleId": "cacheReader",
        "title": "Reads the cache",
        "permissions": ["storage.objects.get"],
        "stage": "GA",
    },
    "gcp:iam/workloadIdentityPool:WorkloadIdentityPool": {"workloadIdentityPoolId": "github"},
    "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider": {
        "workloadIdentityPoolId": "github",
        "workloadIdentityPoolProviderId": "actions",
        "oidc": {"issuerUri": "https://token.actions.githubusercontent.com"},
        "attributeMapping": {"google.subject": "assertion.sub"},
        "attributeCondition": "assertion.repository_owner == 'acme'",
    },
    "gcp:projects/iAMMember:IAMMember": grant("roles/logging.logWriter", project="acme-tpu-prod"),
    "gcp:serviceaccount/iAMMember:IAMMember": grant(
        "roles/iam.workloadIdentityUser",
        serviceAccountId=f"{P}/serviceAccounts/server@acme-tpu-prod.iam.gserviceaccount.com",
    ),
    "gcp:storage/bucketIAMMember:BucketIAMMember": grant(
        "roles/storage.objectViewer", bucket="acme-tpu-artifacts"
    ),
    "gcp:secretmanager/secretIamMember:SecretIamMember": grant(
        "roles/secretmanager.secretAccessor", secretId="hf-token"
    ),
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember": grant(
        "roles/artifactregistry.reader", repository="vllm", location="us-east5"
    ),
    "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember": grant(
        "roles/cloudkms.cryptoKeyEncrypterDecrypter", cryptoKeyId=KEY
    ),
    "gcp:certificatemanager/certificate:Certificate": {
        "name": "front",
        "scope": "DEFAULT",
        "managed": {"domains": ["llm.example.com"]},
    },
    "gcp:certificatemanager/certificateMap:CertificateMap": {"name": "front"},
    "gcp:certificatemanager/certificateMapEntry:CertificateMapEntry": {
        "name": "front",
        "map": "front",
        "hostname": "llm.example.com",
        "certificates": [f"{P}/locations/global/certificates/front"],
    },
    "gcp:certificatemanager/dnsAuthorization:DnsAuthorization": {"name": "front", "domain": "example.com"},
    "gcp:tpu/v2Vm:V2Vm": {
        "name": "vllm",
        "zone": "us-east5-b",
        "acceleratorType": "v6e-4",
        "runtimeVersion": "v2-alpha-tpuv6e",
        "schedulingConfig": {"spot": True},
        "networkConfig": {"subnetwork": SUBNETWORK, "enableExternalIps": False},
        "metadata": {"enable-oslogin": "TRUE"},
    },
    "gcp:tpu/v2QueuedResource:V2QueuedResource": {
        "name": "vllm",
        "zone": "us-east5-b",
        "tpu": {
            "nodeSpecs": [
                {
                    "parent": f"{P}/locations/us-east5-b",
                    "nodeId": "vllm",
                    "node": {"acceleratorType": "v6e-4", "runtimeVersion": "v2-alpha-tpuv6e"},
                }
            ]
        },
    },
    "gcp:monitoring/alertPolicy:AlertPolicy": ALERT,
    "gcp:monitoring/notificationChannel:NotificationChannel": {
        "type": "email",
        "displayName": "on call",
        "labels": {"email_address": "oncall@example.com"},
    },
    "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig": {
        "displayName": "front",
        "timeout": "10s",
        "period": "60s",
        "httpCheck": {"path": "/health", "port": 443, "useSsl": True, "validateSsl": True},
        "monitoredResource": {"type": "uptime_url", "labels": {"host": "llm.example.com"}},
    },
    "gcp:monitoring/customService:CustomService": {"serviceId": "vllm", "displayName": "vLLM"},
    "gcp:monitoring/slo:Slo": {
        "service": "vllm",
        "sloId": "availability",
        "goal": 0.995,
        "rollingPeriodDays": 28,
        "requestBasedSli": {"distributionCut": {"distributionFilter": "x", "range": {"max": 2}}},
    },
    "gcp:monitoring/dashboard:Dashboard": {
        "dashboardJson": '{"displayName": "vLLM", "gridLayout": {"widgets": []}}'
    },
    "gcp:billing/budget:Budget": {
        "billingAccount": "012345-6789AB-CDEF01",
        "displayName": "prod",
        "amount": {"specifiedAmount": {"units": "5000"}},
        "budgetFilter": {"labels": {"stack": "prod"}, "calendarPeriod": "MONTH"},
        "thresholdRules": [{"spendBasis": "CURRENT_SPEND", "thresholdPercent": 0.9}],
        "allUpdatesRule": {"monitoringNotificationChannels": ["projects/p/notificationChannels/1"]},
    },
    "gcp:logging/metric:Metric": {
        "name": "vllm/errors",
        "filter": "severity>=ERROR",
        "metricDescriptor": {"metricKind": "DELTA", "valueType": "INT64"},
    },
    "gcp:dns/managedZone:ManagedZone": {
        "name": "llm",
        "dnsName": "llm.example.com.",
        "description": "where the server is",
        "visibility": "private",
        "privateVisibilityConfig": {"networks": [{"networkUrl": NETWORK}]},
    },
    "gcp:dns/recordSet:RecordSet": {
        "name": "api.llm.example.com.",
        "managedZone": "llm",
        "type": "A",
        "ttl": 300,
        "rrdatas": ["10.0.0.10"],
    },
}
