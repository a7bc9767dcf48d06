"""Settings of every GKE node, whether it has a TPU or not."""

from collections.abc import Mapping

import pulumi
from pulumi_gcp.container import NodePoolNodeConfigArgsDict


def base_node_config(email: pulumi.Input[str], labels: Mapping[str, str]) -> NodePoolNodeConfigArgsDict:
    """Returns the node's account, the metadata server that hides it from pods, and verified boot.

    `labels` are set on the virtual machines and their disks, where the provider's default labels are not.
    """
    return {
        "service_account": email,
        # The widest scope, on purpose: only IAM limits the account.
        "oauth_scopes": ["https://www.googleapis.com/auth/cloud-platform"],
        "workload_metadata_config": {"mode": "GKE_METADATA"},
        "shielded_instance_config": {"enable_secure_boot": True, "enable_integrity_monitoring": True},
        "resource_labels": dict(labels),
        # GKE's default since 1.12, made explicit so that the legacy metadata endpoints stay disabled.
        "metadata": {"disable-legacy-endpoints": "true"},
    }
