"""The requests that Google would get, where the provider's names and the API's differ most."""

from typing import Any

import pytest

from tools.fake_gcp.checks import request, values
from tools.fake_gcp.schema import kind
from tools.fake_gcp.schema.example_parts import CONFIG
from tools.fake_gcp.schema.examples import EXAMPLES
from tools.fake_gcp.schema.kind import UNKNOWN


def built(token: str) -> dict[str, Any]:
    """The body for the type's example."""
    of = kind.find(token)
    assert of
    body, found = request.build(of, EXAMPLES[token])
    assert found == []
    return body


def subset(small: Any, big: Any) -> bool:
    """Returns whether all of `small` is in `big`."""
    if isinstance(small, dict):
        return isinstance(big, dict) and all(subset(item, big.get(name)) for name, item in small.items())
    if isinstance(small, list):
        return isinstance(big, list) and len(small) == len(big) and all(map(subset, small, big))
    return small == big


REQUESTS: list[tuple[str, dict[str, Any]]] = [
    (
        "gcp:container/nodePool:NodePool",
        {
            "nodePool": {
                "name": "tpu-v6e-4",
                "locations": ["us-east5-b"],
                "nodeDrainConfig": {"respectPdbDuringNodePoolDeletion": True},
                "config": {
                    "machineType": "ct6e-standard-4t",
                    "taints": [{"key": "google.com/tpu", "value": "present", "effect": "NO_SCHEDULE"}],
                },
            }
        },
    ),
    (
        "gcp:container/cluster:Cluster",
        {
            "cluster": {
                "networkConfig": {
                    "datapathProvider": "ADVANCED_DATAPATH",
                    "gatewayApiConfig": {"channel": "CHANNEL_STANDARD"},
                },
                "monitoringConfig": {
                    "componentConfig": {"enableComponents": ["SYSTEM_COMPONENTS"]},
                    "managedPrometheusConfig": {"enabled": True},
                },
                "maintenancePolicy": {
                    "window": {
                        "recurringWindow": {
                            "recurrence": "FREQ=WEEKLY;BYDAY=SA,SU",
                            "window": {
                                "startTime": "2026-01-03T02:00:00Z",
                                "endTime": "2026-01-03T08:00:00Z",
                            },
                        },
                        "maintenanceExclusions": {
                            "launch": {
                                "startTime": "2026-12-20T00:00:00Z",
                                "endTime": "2027-01-05T00:00:00Z",
                                "maintenanceExclusionOptions": {"scope": "NO_UPGRADES"},
                            }
                        },
                    }
                },
            }
        },
    ),
    (
        "gcp:compute/instanceTemplate:InstanceTemplate",
        {
            "name": "tpu-v6e-4",
            "properties": {
                "metadata": {"items": [{"key": "enable-oslogin", "value": "TRUE"}]},
                "tags": {"items": ["vllm"]},
                "disks": [
                    {
                        "boot": True,
                        "initializeParams": {
                            "diskType": "hyperdisk-balanced",
                            "diskSizeGb": "200",
                            "sourceImage": (
                                "projects/ubuntu-os-accelerator-images/global/images/family/ubuntu-accel"
                            ),
                        },
                    }
                ],
                "serviceAccounts": [
                    {
                        "email": "server@acme-tpu-prod.iam.gserviceaccount.com",
                        "scopes": ["https://www.googleapis.com/auth/cloud-platform"],
                    }
                ],
            },
        },
    ),
    (
        "gcp:compute/instanceGroupManager:InstanceGroupManager",
        {
            "updatePolicy": {"maxSurge": {"fixed": 0}, "maxUnavailable": {"fixed": 1}},
            "autoHealingPolicies": [
                {
                    "healthCheck": "projects/acme-tpu-prod/global/healthChecks/vllm",
                    "initialDelaySec": 3600,
                }
            ],
        },
    ),
    (
        "gcp:compute/regionInstanceGroupManager:RegionInstanceGroupManager",
        {"distributionPolicy": {"zones": [{"zone": "us-east5-b"}], "targetShape": "ANY_SINGLE_ZONE"}},
    ),
    (
        "gcp:storage/bucket:Bucket",
        {
            "iamConfiguration": {
                "uniformBucketLevelAccess": {"enabled": True},
                "publicAccessPrevention": "enforced",
            },
            "softDeletePolicy": {"retentionDurationSeconds": "604800"},
            "lifecycle": {
                "rule": [
                    {
                        "action": {"type": "Delete"},
                        "condition": {"numNewerVersions": 3, "isLive": False, "matchesPrefix": ["xla/"]},
                    }
                ]
            },
        },
    ),
    (
        "gcp:secretmanager/secretIamMember:SecretIamMember",
        {
            "policy": {
                "bindings": [
                    {
                        "role": "roles/secretmanager.secretAccessor",
                        "members": ["serviceAccount:server@acme-tpu-prod.iam.gserviceaccount.com"],
                    }
                ]
            }
        },
    ),
    ("gcp:secretmanager/secret:Secret", {"replication": {"automatic": {}}}),
    ("gcp:monitoring/slo:Slo", {"rollingPeriod": "2419200s"}),
    ("gcp:compute/firewall:Firewall", {"allowed": [{"IPProtocol": "tcp", "ports": ["8000"]}]}),
    ("gcp:compute/routerNat:RouterNat", {"nats": [{"name": "tpu", "natIpAllocateOption": "AUTO_ONLY"}]}),
    (
        "gcp:serviceaccount/account:Account",
        {"accountId": "server", "serviceAccount": {"displayName": "vLLM"}},
    ),
]


def test_a_preview_knows_only_what_the_provider_knows() -> None:
    of = kind.find("gcp:serviceaccount/account:Account")
    assert of
    outputs = values.computed(of, {"accountId": "server"}, CONFIG, id="x", time="", defaults={})
    shown = values.planned(of, outputs)
    assert shown["email"] == "server@acme-tpu-prod.iam.gserviceaccount.com"
    assert shown["project"] == "acme-tpu-prod" and shown["uniqueId"] == shown["name"] == UNKNOWN


@pytest.mark.parametrize(("token", "expected"), REQUESTS)
def test_request(token: str, expected: dict[str, Any]) -> None:
    body = built(token)
    assert subset(expected, body), body
