"""Instance templates, managed instance groups, disks, resize requests, reservations (Compute API v1)."""

from typing import Any

from tools.fake_gcp.schema.kind import Kind, add
from tools.fake_gcp.schema.kinds.network import GLOBAL, LINK, NETWORK, REGIONAL, SUBNETWORK

TEMPLATE = "gcp:compute/instanceTemplate:InstanceTemplate"
REGION_TEMPLATE = "gcp:compute/regionInstanceTemplate:RegionInstanceTemplate"
GROUP = "gcp:compute/instanceGroupManager:InstanceGroupManager"
REGION_GROUP = "gcp:compute/regionInstanceGroupManager:RegionInstanceGroupManager"
DISK = "gcp:compute/disk:Disk"
ZONAL = "projects/{project}/zones/{zone}"

INITIAL = (
    "diskName diskType diskSizeGb labels provisionedIops provisionedThroughput resourceManagerTags "
    "sourceImage sourceSnapshot storagePool"
)


def metadata(values: dict[str, Any]) -> dict[str, Any]:
    """Returns metadata as the list of pairs that the API uses."""
    return {"metadata": {"items": [{"key": key, "value": value} for key, value in values.items()]}}


def startup_script(text: str) -> dict[str, Any]:
    """Returns `metadataStartupScript` as the metadata key `startup-script`."""
    return metadata({"startup-script": text})


def reservation_affinity(value: dict[str, Any]) -> dict[str, Any]:
    """Returns the specific reservation's key and values beside the type, as the API stores them."""
    named = value.get("specificReservation") or {}
    return {"reservationAffinity": {"consumeReservationType": value.get("type"), **named}}


def stateful(kind: str, key: str) -> Any:
    """Returns a list by device or interface name as a map by that name."""

    def part(items: list[dict[str, Any]]) -> dict[str, Any]:
        by_name: dict[str, Any] = {
            item.get(key, "nic0"): {"autoDelete": item.get("deleteRule", "NEVER")} for item in items
        }
        return {"statefulPolicy": {"preservedState": {kind: by_name}}}

    return part


def selections(value: dict[str, Any]) -> dict[str, Any]:
    """Returns instance selections as the map by name that the API uses."""
    by_name = {
        item["name"]: {
            name: item[source]
            for source, name in (("machineTypes", "machineTypes"), ("rank", "rank"), ("minCpuPlatform",) * 2)
            if source in item
        }
        for item in value.get("instanceSelections", [])
    }
    return {"instanceFlexibilityPolicy": {"instanceSelections": by_name}}


TEMPLATE_NAMES = {
    "name": "/name",
    "namePrefix": "",
    "description": "/description",
    "instanceDescription": "description",
    "metadata": metadata,
    "metadataStartupScript": startup_script,
    "reservationAffinity": reservation_affinity,
    "resourcePolicies": "resourcePolicies[]",
    "serviceAccount": "serviceAccounts[]",
    "tags": "tags.items",
    "guestAccelerators.count": "acceleratorCount",
    "guestAccelerators.type": "acceleratorType",
    "networkInterfaces.networkIp": "networkIP",
    "networkInterfaces.subnetworkProject": "",
    "networkInterfaces.accessConfigs.natIp": "natIP",
    "disks.guestOsFeatures": "guestOsFeatures[].type",
    "disks.resourcePolicies": "initializeParams.resourcePolicies[]",
    "disks.diskEncryptionKey.kmsKeySelfLink": "kmsKeyName",
    **{f"disks.{name}": f"initializeParams.{name}" for name in INITIAL.split()},
}
GROUP_NAMES = {
    "autoHealingPolicies": "autoHealingPolicies[]",
    "allInstancesConfig.labels": "properties.labels",
    "allInstancesConfig.metadata": "properties.metadata",
    "updatePolicy.maxSurgeFixed": "maxSurge.fixed",
    "updatePolicy.maxSurgePercent": "maxSurge.percent",
    "updatePolicy.maxUnavailableFixed": "maxUnavailable.fixed",
    "updatePolicy.maxUnavailablePercent": "maxUnavailable.percent",
    "statefulDisks": stateful("disks", "deviceName"),
    "statefulInternalIps": stateful("internalIPs", "interfaceName"),
    "statefulExternalIps": stateful("externalIPs", "interfaceName"),
    # The discovery document calls them "[Output Only]", but the real provider accepts them: it sends them
    # with instanceGroups.setNamedPorts.
    "namedPorts": "",
    "waitForInstances": "",
    "waitForInstancesStatus": "",
}
GROUP_COMPUTED = {
    "selfLink": LINK,
    "fingerprint": "Zm9v",
    "instanceGroupManagerId": "{serial}",
    "creationTimestamp": "{time}",
}
TEMPLATE_COMPUTED = {
    "selfLink": LINK,
    "metadataFingerprint": "Zm9v",
    "creationTimestamp": "{time}",
}
TEMPLATE_REFS = {"networkInterfaces.network": NETWORK, "networkInterfaces.subnetwork": SUBNETWORK}

add(
    Kind(
        TEMPLATE,
        "compute.instanceTemplates.insert",
        f"{GLOBAL}/instanceTemplates/{{name}}",
        body="properties",
        rename=TEMPLATE_NAMES,
        refs=TEMPLATE_REFS,
        computed={**TEMPLATE_COMPUTED, "selfLinkUnique": LINK + "?uniqueId={serial}"},
    ),
    Kind(
        REGION_TEMPLATE,
        "compute.regionInstanceTemplates.insert",
        f"{REGIONAL}/instanceTemplates/{{name}}",
        body="properties",
        rename=TEMPLATE_NAMES,
        refs=TEMPLATE_REFS,
        computed={**TEMPLATE_COMPUTED, "region": "{region}"},
    ),
    Kind(
        GROUP,
        "compute.instanceGroupManagers.insert",
        f"{ZONAL}/instanceGroupManagers/{{name}}",
        rename=GROUP_NAMES,
        refs={"versions.instanceTemplate": TEMPLATE},
        computed={
            **GROUP_COMPUTED,
            "zone": "{zone}",
            "instanceGroup": f"https://www.googleapis.com/compute/v1/{ZONAL}/instanceGroups/{{name}}",
        },
        minutes=15,
    ),
    Kind(
        REGION_GROUP,
        "compute.regionInstanceGroupManagers.insert",
        f"{REGIONAL}/instanceGroupManagers/{{name}}",
        rename={
            **GROUP_NAMES,
            "distributionPolicyZones": "distributionPolicy.zones[].zone",
            "distributionPolicyTargetShape": "distributionPolicy.targetShape",
            "instanceFlexibilityPolicy": selections,
        },
        refs={"versions.instanceTemplate": TEMPLATE},
        computed={
            **GROUP_COMPUTED,
            "region": "{region}",
            "instanceGroup": f"https://www.googleapis.com/compute/v1/{REGIONAL}/instanceGroups/{{name}}",
        },
        minutes=15,
    ),
    Kind(
        "gcp:compute/resizeRequest:ResizeRequest",
        "compute.instanceGroupManagerResizeRequests.insert",
        f"{ZONAL}/instanceGroupManagers/{{instanceGroupManager}}/resizeRequests/{{name}}",
        rename={"instanceGroupManager": ""},
        refs={"instanceGroupManager": GROUP},
        computed={"state": "ACCEPTED", "creationTimestamp": "{time}"},
    ),
    Kind(
        DISK,
        "compute.disks.insert",
        f"{ZONAL}/disks/{{name}}",
        rename={
            "image": "sourceImage",
            "size": "sizeGb",
            "snapshot": "sourceSnapshot",
            "diskEncryptionKey.kmsKeySelfLink": "kmsKeyName",
            "createSnapshotBeforeDestroy": "",
            "createSnapshotBeforeDestroyPrefix": "",
        },
        computed={"selfLink": LINK, "zone": "{zone}", "diskId": "{serial}", "creationTimestamp": "{time}"},
    ),
    Kind(
        "gcp:compute/reservation:Reservation",
        "compute.reservations.insert",
        f"{ZONAL}/reservations/{{name}}",
        computed={"selfLink": LINK, "status": "READY", "creationTimestamp": "{time}"},
    ),
    Kind(
        "gcp:compute/resourcePolicy:ResourcePolicy",
        "compute.resourcePolicies.insert",
        f"{REGIONAL}/resourcePolicies/{{name}}",
        computed={"selfLink": LINK, "region": "{region}"},
    ),
)
