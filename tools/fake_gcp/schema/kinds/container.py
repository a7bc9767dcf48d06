"""GKE clusters and node pools (Kubernetes Engine API v1)."""

from typing import Any

from tools.fake_gcp.schema.kind import Kind, add
from tools.fake_gcp.schema.kinds.network import NETWORK, SUBNETWORK

CLUSTER = "gcp:container/cluster:Cluster"
POOL = "gcp:container/nodePool:NodePool"
PARENT = "projects/{project}/locations/{location}"


def exclusions(items: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns maintenance exclusions as the map by name that the API uses."""
    by_name: dict[str, Any] = {}
    for item in items:
        window = {name: item[name] for name in ("startTime", "endTime") if name in item}
        if options := item.get("exclusionOptions"):
            window["maintenanceExclusionOptions"] = options
        by_name[item["exclusionName"]] = window
    return {"window": {"maintenanceExclusions": by_name}}


def first(name: str) -> Any:
    """Returns the provider's list of at most one as the API's single message."""
    return lambda items: {name: items[0]} if items else {}


def accelerators(items: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns GPUs; a TPU pool has none, because its chips come with the machine type."""
    return {
        "accelerators": [
            {"acceleratorCount": item["count"], "acceleratorType": item["type"]} for item in items
        ]
    }


def logging_variant(value: str) -> dict[str, Any]:
    """Returns DEFAULT or MAX_THROUGHPUT."""
    return {"loggingConfig": {"variantConfig": {"variant": value}}}


NODE_CONFIG = {
    "guestAccelerators": accelerators,
    "loggingVariant": logging_variant,
    "windowsNodeConfig.osversion": "osVersion",
    "linuxNodeConfig.hugepagesConfig": "hugepages",
    "containerdConfig.privateRegistryAccessConfig.certificateAuthorityDomainConfigs": (
        "certificateAuthorityDomainConfig"
    ),
}
IN_NETWORK_CONFIG = {
    name: f"networkConfig.{target}"
    for name, target in {
        "datapathProvider": "datapathProvider",
        "defaultSnatStatus": "defaultSnatStatus",
        "disableL4LbFirewallReconciliation": "disableL4LbFirewallReconciliation",
        "dnsConfig": "dnsConfig",
        "enableCiliumClusterwideNetworkPolicy": "enableCiliumClusterwideNetworkPolicy",
        "enableFqdnNetworkPolicy": "enableFqdnNetworkPolicy",
        "enableIntranodeVisibility": "enableIntraNodeVisibility",
        "enableL4IlbSubsetting": "enableL4ilbSubsetting",
        "enableMultiNetworking": "enableMultiNetworking",
        "gatewayApiConfig": "gatewayApiConfig",
        "inTransitEncryptionConfig": "inTransitEncryptionConfig",
        "networkPerformanceConfig": "networkPerformanceConfig",
        "privateIpv6GoogleAccess": "privateIpv6GoogleAccess",
        "serviceExternalIpsConfig": "serviceExternalIpsConfig",
    }.items()
}

add(
    Kind(
        CLUSTER,
        "container.projects.locations.clusters.create",
        f"{PARENT}/clusters/{{name}}",
        body="cluster",
        url={"parent": PARENT},
        rename={
            **IN_NETWORK_CONFIG,
            **{f"nodeConfig.{name}": target for name, target in NODE_CONFIG.items()},
            "addonsConfig.cloudrunConfig": "cloudRunConfig",
            "clusterAutoscaling": "autoscaling",
            "clusterAutoscaling.autoProvisioningDefaults": "autoprovisioningNodePoolDefaults",
            "clusterAutoscaling.autoProvisioningLocations": "autoprovisioningLocations",
            "clusterAutoscaling.defaultComputeClassEnabled": "defaultComputeClassConfig.enabled",
            "clusterAutoscaling.enabled": "enableNodeAutoprovisioning",
            "defaultMaxPodsPerNode": "defaultMaxPodsConstraint.maxPodsPerNode",
            "deletionProtection": "",
            "enableAutopilot": "autopilot.enabled",
            "enableLegacyAbac": "legacyAbac.enabled",
            "enableShieldedNodes": "shieldedNodes.enabled",
            "ipAllocationPolicy.podCidrOverprovisionConfig.disabled": "disable",
            "loggingConfig.enableComponents": "componentConfig.enableComponents",
            "maintenancePolicy.dailyMaintenanceWindow": "window.dailyMaintenanceWindow",
            "maintenancePolicy.maintenanceExclusions": exclusions,
            "maintenancePolicy.recurringWindow": "window.recurringWindow",
            "maintenancePolicy.recurringWindow.endTime": "window.endTime",
            "maintenancePolicy.recurringWindow.startTime": "window.startTime",
            "minMasterVersion": "initialClusterVersion",
            "monitoringConfig.enableComponents": "componentConfig.enableComponents",
            "monitoringConfig.managedPrometheus": "managedPrometheusConfig",
            "networkingMode": "",
            "nodeLocations": "locations",
            "notificationConfig.pubsub.filter.eventTypes": "eventType",
            "removeDefaultNodePool": "",
            "resourceUsageExportConfig.enableResourceConsumptionMetering": (
                "consumptionMeteringConfig.enabled"
            ),
        },
        refs={"network": NETWORK, "subnetwork": SUBNETWORK},
        unsupported={"nodePools": "declare each pool as its own NodePool."},
        computed={
            "selfLink": f"https://container.googleapis.com/v1/{PARENT}/clusters/{{name}}",
            "location": "{location}",
            "masterVersion": "1.34.4-gke.1000000",
            "servicesIpv4Cidr": "34.118.224.0/20",
            "labelFingerprint": "Zm9v",
            "tpuIpv4CidrBlock": "",
        },
        minutes=40,
    ),
    Kind(
        POOL,
        "container.projects.locations.clusters.nodePools.create",
        f"{PARENT}/clusters/{{cluster}}/nodePools/{{name}}",
        body="nodePool",
        url={"parent": f"{PARENT}/clusters/{{cluster}}"},
        rename={
            **{f"nodeConfig.{name}": target for name, target in NODE_CONFIG.items()},
            "cluster": "",
            "ignoreNodeCountChanges": "",
            "maintenancePolicies": first("maintenancePolicy"),
            "maxPodsPerNode": "maxPodsConstraint.maxPodsPerNode",
            "namePrefix": "",
            "networkConfig.podCidrOverprovisionConfig.disabled": "disable",
            "networkConfig.additionalPodNetworkConfigs.maxPodsPerNode": "maxPodsPerNode.maxPodsPerNode",
            "nodeConfig": "config",
            "nodeCount": "",
            "nodeDrainConfigs": first("nodeDrainConfig"),
            "nodeLocations": "locations",
        },
        refs={"cluster": CLUSTER},
        computed={
            "location": "{location}",
            "version": "1.34.4-gke.1000000",
            "operation": "",
        },
        minutes=30,
    ),
)
