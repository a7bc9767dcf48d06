"""Volumes that show the bucket's weights as files in a pod, by Cloud Storage FUSE."""

import math

import pulumi
from pulumi_kubernetes.core.v1 import VolumeArgsDict

from components.kubernetes.security_context import PodUser
from serving.hardware import host_resources
from serving.messages.units import GIB

# The options of Google's own vLLM server (github.com/GoogleCloudPlatform/accelerated-platforms,
# online-inference-tpu/vllm/base/deployment.yaml). Every file is downloaded in parallel parts into memory. The
# metadata caches never expire, because staged weights never change.
OPTIONS = (
    "implicit-dirs",
    "metadata-cache:ttl-secs:-1",
    "metadata-cache:stat-cache-max-size-mb:-1",
    "metadata-cache:type-cache-max-size-mb:-1",
    "file-system:kernel-list-cache-ttl-secs:-1",
    "file-cache:max-size-mb:-1",
    "file-cache:cache-file-for-range-read:true",
    "file-cache:enable-parallel-downloads:true",
)

SIDECAR_DISK = "5Gi"
"""Node's disk for the driver's sidecar: its default (github.com/GoogleCloudPlatform/gcs-fuse-csi-driver,
cmd/webhook/main.go). Files are cached in memory, so it needs only its log."""


def cache_gib(weight_bytes: int) -> int:
    """Returns the size of the file cache in GiB, which is memory of the node."""
    return math.ceil(host_resources.file_cache_bytes(weight_bytes) / GIB)


def weights_volume(bucket: pulumi.Input[str], directory: str, user: PodUser) -> VolumeArgsDict:
    """Returns a read-only volume with the folder `directory` of the bucket.

    Its files belong to the pod's user, as the driver needs it for a pod that is not root
    (https://cloud.google.com/kubernetes-engine/docs/how-to/cloud-storage-fuse-csi-driver-perf).
    """
    options = (*OPTIONS, f"uid={user.uid}", f"gid={user.uid}", f"only-dir={directory}")
    return {
        "name": "models",
        "csi": {
            "driver": "gcsfuse.csi.storage.gke.io",
            "read_only": True,
            "volume_attributes": {
                "bucketName": bucket,
                "mountOptions": ",".join(options),
            },
        },
    }


def cache_volume(weight_bytes: int) -> VolumeArgsDict:
    """Returns the volume of the file cache, with the name that the driver expects. It is in memory, because
    v6e machines have no local SSD."""
    return {
        "name": "gke-gcsfuse-cache",
        "empty_dir": {"medium": "Memory", "size_limit": f"{cache_gib(weight_bytes)}Gi"},
    }


def annotations(weight_bytes: int) -> dict[str, str]:
    """Returns pod annotations that add the driver's sidecar and request memory for its cache.

    They set no limits of processor and memory ("0"), because the server's pod is the only one that uses its
    machine. The disk has a limit: without it the sidecar's log would count against the pod's other limits.
    """
    return {
        "gke-gcsfuse/volumes": "true",
        "gke-gcsfuse/memory-request": f"{cache_gib(weight_bytes) + 2}Gi",
        "gke-gcsfuse/memory-limit": "0",
        "gke-gcsfuse/cpu-limit": "0",
        "gke-gcsfuse/ephemeral-storage-request": SIDECAR_DISK,
        "gke-gcsfuse/ephemeral-storage-limit": SIDECAR_DISK,
    }
