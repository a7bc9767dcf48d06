"""What every node of ours has, whatever it is for."""

from collections.abc import Mapping

import pulumi
from pulumi_gcp.container import NodePoolNodeConfigArgsDict


def node_settings(email: pulumi.Input[str], labels: Mapping[str, str]) -> NodePoolNodeConfigArgsDict:
    """The account, the metadata server that hides it from pods, and verified boot.

    `labels` go to the virtual machines and their disks: the provider's own default labels do not.
    """
    return {
        "service_account": email,
        # IAM decides alone what the account may do (the scope is the widest on purpose).
        "oauth_scopes": ["https://www.googleapis.com/auth/cloud-platform"],
        "workload_metadata_config": {"mode": "GKE_METADATA"},
        "shielded_instance_config": {"enable_secure_boot": True, "enable_integrity_monitoring": True},
        "resource_labels": dict(labels),
        # GKE's own choice since 1.12, stated so that the ports it closes stay closed.
        "metadata": {"disable-legacy-endpoints": "true"},
    }
