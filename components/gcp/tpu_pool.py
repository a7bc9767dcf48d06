"""Node pool of TPU nodes with one slice shape and one provisioning model."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from components.gcp.node_config import base_node_config
from components.gcp.provisioning import Provisioning, node_config_fields
from serving.hardware.machines import TPU_NODE_DISK_GB


@dataclass(frozen=True, kw_only=True)
class TpuPoolArgs:
    """Arguments of the pool."""

    pool: str
    """Physical name. It contains slice shape and provisioning model, because Google can change neither: a
    change creates a pool with a new name before the old pool is deleted."""
    cluster: pulumi.Input[str]
    """Id of the cluster."""
    location: pulumi.Input[str]
    """Region of the cluster."""
    zone: str
    """Zone of the nodes."""
    machine_type: str
    disk_type: str
    provisioning: Provisioning
    nodes: int
    """Number of nodes that always run; a flex-start pool starts with none."""
    max_nodes: int
    """Number of nodes up to which the autoscaler adds more."""
    node_email: pulumi.Input[str]
    """Email of the nodes' service account."""
    labels: Mapping[str, str]
    on_error: pulumi.ErrorHook
    """Hook that receives Google's reason when the pool could not be created."""


class TpuPool(pulumi.ComponentResource):
    """One node pool of single-host slices.

    It has no placement policy, because GKE refuses a compact placement of single-host slices
    (github.com/AI-Hypercomputer/xpk, issue 825).
    """

    def __init__(self, name: str, args: TpuPoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:gcp:TpuPool", name, None, opts)
        flex_start = args.provisioning.model == "flex-start"
        min_nodes = 0 if flex_start else args.nodes
        gcp.container.NodePool(
            f"{name}-{args.pool}",
            name=args.pool,
            cluster=args.cluster,
            location=args.location,
            # One zone: a slice is in one zone, and several zones would multiply the counts below.
            node_locations=[args.zone],
            initial_node_count=min_nodes,
            # Counts for each zone. GKE refuses TPU pools with total counts
            # (github.com/vllm-project/ci-infra, pull request 545).
            autoscaling={
                "min_node_count": min_nodes,
                "max_node_count": args.max_nodes,
                "location_policy": "ANY",
            },
            # GKE does not repair flex-start nodes
            # (https://cloud.google.com/kubernetes-engine/docs/concepts/dws).
            management={"auto_repair": not flex_start, "auto_upgrade": True},
            # No spare TPU quota to surge with, so upgrade in place: one node unavailable at a time. GKE sets
            # the strategy of flex-start pools to SHORT_LIVED. The provider does not accept that value, so
            # the block is left out for them.
            upgrade_settings=(
                None if flex_start else {"strategy": "SURGE", "max_surge": 0, "max_unavailable": 1}
            ),
            node_config={
                **base_node_config(args.node_email, args.labels),
                "machine_type": args.machine_type,
                "disk_type": args.disk_type,
                "disk_size_gb": TPU_NODE_DISK_GB,
                **node_config_fields(args.provisioning),
            },
            # Otherwise a deleted pool ends all its pods at once. With one server, the disruption budget would
            # only delay the deletion.
            node_drain_configs=(
                [{"respect_pdb_during_node_pool_deletion": True}] if args.nodes > 1 else None
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                # The autoscaler owns the number of nodes. A changed initial count would replace the pool.
                ignore_changes=["initialNodeCount"],
                hooks=pulumi.ResourceHookBinding(on_error=[args.on_error]),
                # Longer than GKE takes to report a stockout, so that its reason is the reported error. A
                # deletion waits until each server has a successor, at most an hour for a node.
                custom_timeouts=pulumi.CustomTimeouts(
                    create="60m", update="60m", delete=f"{60 * max(1, args.nodes)}m"
                ),
            ),
        )
        self.register_outputs({})
