"""Staged weights as files in a pod, read from the bucket by Cloud Storage FUSE."""

import math

import pulumi
from pulumi_kubernetes.core.v1 import VolumeArgsDict

from serving.deploy import container_layout
from serving.hardware import host_resources
from serving.messages.units import GIB

# As Google mounts the same model for the same server (github.com/GoogleCloudPlatform/accelerated-platforms,
# online-inference-tpu/vllm/base/deployment.yaml): every file is fetched in parallel parts into memory, and
# what was learnt of the bucket is kept, because staged weights never change.
OPTIONS = (
    "implicit-dirs",
    "metadata-cache:ttl-secs:-1",
    "metadata-cache:stat-cache-max-size-mb:-1",
    "metadata-cache:type-cache-max-size-mb:-1",
    "file-system:kernel-list-cache-ttl-secs:-1",
    "file-cache:max-size-mb:-1",
    "file-cache:cache-file-for-range-read:true",
    "file-cache:enable-parallel-downloads:true",
    # The server is not root: https://cloud.google.com/kubernetes-engine/docs/how-to/cloud-storage-fuse-csi-driver-perf
    f"uid={container_layout.USER}",
    f"gid={container_layout.USER}",
)


def cache_gib(weight_bytes: int) -> int:
    """Memory of the file cache."""
    return math.ceil(host_resources.file_cache_bytes(weight_bytes) / GIB)


def weights_volume(bucket: pulumi.Input[str], directory: str) -> VolumeArgsDict:
    """The folder `directory` of the bucket, read-only."""
    return {
        "name": "models",
        "csi": {
            "driver": "gcsfuse.csi.storage.gke.io",
            "read_only": True,
            "volume_attributes": {
                "bucketName": bucket,
                "mountOptions": ",".join((*OPTIONS, f"only-dir={directory}")),
            },
        },
    }


def cache_volume(weight_bytes: int) -> VolumeArgsDict:
    """The file cache, under the name that the driver looks for. v6e machines have no local SSD."""
    return {
        "name": "gke-gcsfuse-cache",
        "empty_dir": {"medium": "Memory", "size_limit": f"{cache_gib(weight_bytes)}Gi"},
    }


def annotations(weight_bytes: int) -> dict[str, str]:
    """For the pod: add the driver's sidecar, ask for what its cache will hold, and limit nothing ("0"),
    because the pod has its machine for itself."""
    return {
        "gke-gcsfuse/volumes": "true",
        "gke-gcsfuse/memory-request": f"{cache_gib(weight_bytes) + 2}Gi",
        "gke-gcsfuse/memory-limit": "0",
        "gke-gcsfuse/cpu-limit": "0",
        "gke-gcsfuse/ephemeral-storage-limit": "0",
    }
