"""Names, addresses, ports and folders of the one-node cluster, defined only here.

Every listener is on loopback or on the bridge's address, which only this machine and its pods can reach.
"""

from pathlib import Path

from serving.hardware.accelerators import STAND_IN, accelerator
from tools.support import paths

NODE = "tpu-node"
CONTEXT = "tpuserve-local"

BRIDGE = "tpuserve0"
POD_SUBNET = "10.200.0.0/24"
BRIDGE_ADDRESS = "10.200.0.1"
SERVICE_SUBNET = "10.201.0.0/24"
KUBERNETES_SERVICE = "10.201.0.1"  # the API server gives its own Service the first address of the range
DNS_SERVICE = "10.201.0.10"
DNS_DOMAIN = "cluster.local"
CNI_NETWORK = "tpuserve"

LOOPBACK = "127.0.0.1"
API_PORT = 6443
KUBELET_PORT = 10250
KUBELET_HEALTH_PORT = 10248
PROXY_METRICS_PORT = 10249
PROXY_HEALTH_PORT = 10256
CONTROLLER_MANAGER_PORT = 10257
SCHEDULER_PORT = 10259
POLICIES_METRICS_PORT = 10280
BUCKET_PORT = 4443  # fake-gcs-server's own default
POLICY_QUEUE = 100  # netfilter queue from which kube-network-policies takes packets

# Parent of every pod's control group, which separates this cluster's groups from others.
CGROUP = "tpuserve"

BUCKET = "tpuserve-local"
"""Name of the only bucket of the cluster's object store."""

TPU_RESOURCE = "google.com/tpu"
_ROW = accelerator(STAND_IN)
SLICES = 3
"""Slices whose chips the node offers, for two servers and the spare one of a release. On GKE each slice of
this size is a node."""
SLICE_CHIPS = _ROW.chips
TPU_CHIPS = SLICES * SLICE_CHIPS
# GKE's labels on a ct6e-standard-4t node, which workloads select by nodeSelector. Source:
# https://cloud.google.com/kubernetes-engine/docs/how-to/tpus
NODE_LABELS = {
    "cloud.google.com/gke-tpu-accelerator": _ROW.gke_accelerator,
    "cloud.google.com/gke-tpu-topology": _ROW.gke_topology,
}

# Path of the node's Python environment in every container, like libtpu's on a GKE TPU node.
ENVIRONMENT_MOUNT = "/opt/vllm"

RUNTIME_ROOT = Path("/run/tpuserve")


def api_url() -> str:
    """Returns the URL of the API server, on the bridge."""
    return f"https://{BRIDGE_ADDRESS}:{API_PORT}"


def storage_url() -> str:
    """Returns the URL of the object store, on the bridge: pods and this machine reach it."""
    return f"http://{BRIDGE_ADDRESS}:{BUCKET_PORT}"


def runtime() -> Path:
    """Returns the folder of this instance's sockets and container bundles. It is in /run because socket paths
    are limited to 107 bytes."""
    return RUNTIME_ROOT / paths.instance()


def containerd_socket() -> Path:
    """Returns the path of containerd's only listener."""
    return runtime() / "containerd.sock"


def etcd_socket() -> Path:
    """Returns the path of etcd's client listener: a socket in a 0700 folder, so only root reads the cluster's
    data."""
    return runtime() / "etcd.sock"


def configuration() -> Path:
    """Returns the folder of the processes' configuration files, which each start rewrites."""
    return paths.cluster() / "configuration"


def pki() -> Path:
    """Returns the folder of keys and certificates, created by the first start and kept until `clean`."""
    return paths.cluster() / "pki"


def logs() -> Path:
    """Returns the folder with one log file for each process."""
    return paths.cluster() / "logs"


def pod_logs() -> Path:
    """Returns the folder of the containers' output, with one folder for each pod."""
    return paths.cluster() / "pod-logs"


def cni_state() -> Path:
    """Returns the folder that records the pods' addresses (host-local IPAM)."""
    return paths.cluster() / "cni"
