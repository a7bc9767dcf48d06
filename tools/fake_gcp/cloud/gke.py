"""Outputs of a GKE cluster, and the nodes of its pools.

With TPUSERVE_STANDIN_KUBECONFIG the cluster is a real API server: endpoint and certificate authority are
those of that kubeconfig, and each node pool puts nodes there (`tools.fake_gcp.kubernetes.nodes`). Without it
they are plausible texts.
"""

import base64
import hashlib
import os
from typing import Any

from tools.fake_gcp.checks.values import fill, last
from tools.fake_gcp.kubernetes import nodes
from tools.fake_gcp.schema.kind import Kind, at
from tools.fake_gcp.schema.kinds.container import CLUSTER, POOL
from tools.fake_gcp.schema.kinds.instances import ZONAL

VARIABLE = "TPUSERVE_STANDIN_KUBECONFIG"


def outputs(of: Kind, inputs: dict[str, Any], identity: str) -> dict[str, Any]:
    """Returns the outputs of clusters and node pools that other resources use."""
    if of.token == CLUSTER:
        config = os.environ.get(VARIABLE)
        if config:
            server = nodes.Server.of(config)
            address, authority = server.address, server.authority
        else:
            digest = hashlib.sha256(identity.encode()).digest()
            address = f"34.{digest[0]}.{digest[1]}.{2 + digest[2] % 250}"
            authority = base64.b64encode(f"certificate authority of {identity}".encode()).decode()
        return {
            "endpoint": address,
            "masterAuth": {"clusterCaCertificate": authority, "clientCertificate": "", "clientKey": ""},
            "controlPlaneEndpointsConfig": {"dnsEndpointConfig": {"endpoint": address}},
            "privateClusterConfig": {"privateEndpoint": address, "publicEndpoint": address},
            "nodePools": [],
        }
    if of.token == POOL:
        name = f"gke-{last(inputs['cluster'])}-{inputs['name']}-grp"
        zones = inputs.get("nodeLocations") or []
        group = "https://www.googleapis.com/compute/v1/" + ZONAL + "/instanceGroupManagers/" + name
        project = identity.split("/")[1]
        return {
            "instanceGroupUrls": [fill(group, {"project": project, "zone": zone}) for zone in zones],
            "managedInstanceGroupUrls": [],
        }
    return {}


def conflict(inputs: dict[str, Any], cluster: dict[str, Any]) -> str:
    """Returns the error for a pool that GKE refuses because of its cluster; empty when they fit.

    https://cloud.google.com/kubernetes-engine/docs/concepts/release-channels (automatic upgrades cannot be
    turned off in a channel) and /how-to/workload-identity (the metadata server needs the cluster's pool).
    """
    channel = at(cluster, "releaseChannel.channel")
    if channel not in (None, "UNSPECIFIED") and at(inputs, "management.autoUpgrade") is False:
        return f"Auto_upgrade must be true when release_channel {channel} is set."
    metadata = at(inputs, "nodeConfig.workloadMetadataConfig.mode")
    if metadata == "GKE_METADATA" and not at(cluster, "workloadIdentityConfig.workloadPool"):
        return "Workload metadata mode GKE_METADATA needs Workload Identity on the cluster."
    return ""


def created(entry: dict[str, Any]) -> None:
    """Add the nodes of a running pool to the API server."""
    if entry["token"] == POOL and (config := os.environ.get(VARIABLE)):
        nodes.Server.of(config).place(entry)


def deleted(entry: dict[str, Any]) -> None:
    """Remove the nodes of a deleted pool."""
    if entry["token"] == POOL and (config := os.environ.get(VARIABLE)):
        nodes.Server.of(config).remove(entry["id"])
