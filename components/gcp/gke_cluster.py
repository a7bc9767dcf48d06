"""Private, regional GKE cluster for TPU serving, without node pools."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp
from pulumi_gcp.container import ClusterMaintenancePolicyMaintenanceExclusionArgsDict


@dataclass(frozen=True, kw_only=True)
class GkeClusterArgs:
    """Arguments of the cluster."""

    project: str
    cluster: str
    """Physical name."""
    region: str
    network: pulumi.Input[str]
    """Self link of the VPC."""
    subnetwork: pulumi.Input[str]
    """Self link of the nodes' subnet."""
    pods_range_name: pulumi.Input[str]
    """Name of the subnet's secondary range for pods."""
    node_email: pulumi.Input[str]
    """Email of the nodes' service account."""
    release_channel: str
    minor_version: str | None
    """Oldest Kubernetes minor version of the control plane, such as 1.35. None: the channel's default."""
    window: tuple[str, str, str]
    """Start, end and recurrence (RFC 5545) of the maintenance window."""
    exclusions: Sequence[ClusterMaintenancePolicyMaintenanceExclusionArgsDict]
    deletion_protection: bool
    """True to make Google refuse the cluster's deletion."""


class GkeCluster(pulumi.ComponentResource):
    """The control plane. It is reachable only by its DNS name, where IAM decides on each caller."""

    cluster: gcp.container.Cluster
    """The resource itself, because node pools and the kubeconfig need several of its outputs."""

    def __init__(self, name: str, args: GkeClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:gcp:GkeCluster", name, None, opts)
        start, end, recurrence = args.window
        self.cluster = gcp.container.Cluster(
            f"{name}-control-plane",
            name=args.cluster,
            location=args.region,
            network=args.network,
            subnetwork=args.subnetwork,
            ip_allocation_policy={
                # Services use the range that GKE manages.
                "cluster_secondary_range_name": args.pods_range_name
            },
            # GKE creates a cluster with a default pool. It is removed at once; pools are separate resources.
            remove_default_node_pool=True,
            initial_node_count=1,
            # The account of that default pool. Without it GKE uses the project's default account, which
            # many projects have disabled, and the creation fails.
            node_config={"service_account": args.node_email},
            private_cluster_config={"enable_private_nodes": True},
            control_plane_endpoints_config={
                "dns_endpoint_config": {"allow_external_traffic": True},
                "ip_endpoints_config": {"enabled": False},
            },
            release_channel={"channel": args.release_channel},
            # An alias: GKE takes the newest patch of it that the channel offers.
            min_master_version=args.minor_version,
            maintenance_policy={
                "recurring_window": {"start_time": start, "end_time": end, "recurrence": recurrence},
                "maintenance_exclusions": list(args.exclusions),
            },
            workload_identity_config={"workload_pool": f"{args.project}.svc.id.goog"},
            rbac_binding_config={
                # No role bindings for system:authenticated, system:unauthenticated or system:anonymous.
                "enable_insecure_binding_system_authenticated": False,
                "enable_insecure_binding_system_unauthenticated": False,
            },
            datapath_provider="ADVANCED_DATAPATH",
            gateway_api_config={"channel": "CHANNEL_STANDARD"},
            addons_config={
                "http_load_balancing": {"disabled": False},
                "gcs_fuse_csi_driver_config": {"enabled": True},
                "gce_persistent_disk_csi_driver_config": {"enabled": True},
                # Explicit, because new clusters enable it and the pods' NetworkPolicy has to allow its pods.
                "dns_cache_config": {"enabled": True},
            },
            secret_manager_config={
                "enabled": True,
                # Pods see a new version of a secret within two minutes.
                "rotation_config": {"enabled": True, "rotation_interval": "120s"},
            },
            monitoring_config={
                "enable_components": ["SYSTEM_COMPONENTS"],
                "managed_prometheus": {"enabled": True},
            },
            logging_config={"enable_components": ["SYSTEM_COMPONENTS", "WORKLOADS"]},
            cost_management_config={"enabled": True},
            enable_shielded_nodes=True,
            deletion_protection=args.deletion_protection,
            opts=pulumi.ResourceOptions(
                parent=self,
                # Both describe the removed default pool. A difference would replace the cluster.
                ignore_changes=["initialNodeCount", "nodeConfig"],
                custom_timeouts=pulumi.CustomTimeouts(create="60m", update="60m", delete="60m"),
            ),
        )
        self.register_outputs({})
