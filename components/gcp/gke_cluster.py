"""A private, regional GKE cluster for TPU serving, without nodes."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp
from pulumi_gcp.container import ClusterMaintenancePolicyMaintenanceExclusionArgsDict


@dataclass(frozen=True, kw_only=True)
class GkeClusterArgs:
    """`window` is start, end and recurrence of maintenance. `pods` names the subnet's secondary range."""

    project: str
    cluster: str
    region: str
    network: pulumi.Input[str]
    subnetwork: pulumi.Input[str]
    pods: pulumi.Input[str]
    node_email: pulumi.Input[str]
    release_channel: str
    window: tuple[str, str, str]
    exclusions: Sequence[ClusterMaintenancePolicyMaintenanceExclusionArgsDict]
    deletion_protection: bool


class GkeCluster(pulumi.ComponentResource):
    """The control plane, reached by its DNS name alone: IAM decides who, from wherever they are."""

    cluster: gcp.container.Cluster

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
                # Services get the range that GKE manages itself.
                "cluster_secondary_range_name": args.pods
            },
            # The cluster is born with a pool that is removed at once; pools are resources of their own.
            remove_default_node_pool=True,
            initial_node_count=1,
            # For that pool's few minutes: without it GKE takes the project's default account, which
            # well-kept projects have switched off.
            node_config={"service_account": args.node_email},
            private_cluster_config={"enable_private_nodes": True},
            control_plane_endpoints_config={
                "dns_endpoint_config": {"allow_external_traffic": True},
                "ip_endpoints_config": {"enabled": False},
            },
            release_channel={"channel": args.release_channel},
            maintenance_policy={
                "recurring_window": {"start_time": start, "end_time": end, "recurrence": recurrence},
                "maintenance_exclusions": list(args.exclusions),
            },
            workload_identity_config={"workload_pool": f"{args.project}.svc.id.goog"},
            rbac_binding_config={
                # No binding for everyone, known or not.
                "enable_insecure_binding_system_authenticated": False,
                "enable_insecure_binding_system_unauthenticated": False,
            },
            datapath_provider="ADVANCED_DATAPATH",
            gateway_api_config={"channel": "CHANNEL_STANDARD"},
            addons_config={
                "http_load_balancing": {"disabled": False},
                "gcs_fuse_csi_driver_config": {"enabled": True},
                "gce_persistent_disk_csi_driver_config": {"enabled": True},
                # Stated, because new clusters have it on, and a NetworkPolicy must know whom to allow.
                "dns_cache_config": {"enabled": True},
            },
            secret_manager_config={
                "enabled": True,
                # A new version of a secret is in every pod two minutes later.
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
                # Both describe the pool that is gone; a difference there would replace the cluster.
                ignore_changes=["initialNodeCount", "nodeConfig"],
                custom_timeouts=pulumi.CustomTimeouts(create="60m", update="60m", delete="60m"),
            ),
        )
        self.register_outputs({})
