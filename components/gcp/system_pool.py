"""Node pool of small CPU nodes for the cluster's system pods and for the weights Job."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from components.gcp.node_config import base_node_config
from serving.hardware import machines


@dataclass(frozen=True, kw_only=True)
class SystemPoolArgs:
    """Arguments of the pool. GKE spreads the nodes over the zones of the cluster's region."""

    cluster: pulumi.Input[str]
    """Id of the cluster."""
    location: pulumi.Input[str]
    """Region of the cluster."""
    node_email: pulumi.Input[str]
    """Email of the nodes' service account."""
    labels: Mapping[str, str]


class SystemPool(pulumi.ComponentResource):
    """A pool of CPU nodes that grows and shrinks with the pods."""

    def __init__(self, name: str, args: SystemPoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:gcp:SystemPool", name, None, opts)
        fewest, most = machines.SYSTEM_NODES
        gcp.container.NodePool(
            f"{name}-pool",
            name=name,
            cluster=args.cluster,
            location=args.location,
            initial_node_count=fewest,
            autoscaling={
                "total_min_node_count": fewest,
                "total_max_node_count": most,
                "location_policy": "BALANCED",
            },
            management={"auto_repair": True, "auto_upgrade": True},
            upgrade_settings={"strategy": "SURGE", "max_surge": 1, "max_unavailable": 0},
            node_config={
                **base_node_config(args.node_email, args.labels),
                "machine_type": machines.SYSTEM_MACHINE,
                "disk_type": machines.SYSTEM_DISK_TYPE,
                "disk_size_gb": machines.SYSTEM_DISK_GB,
                "reservation_affinity": {"consume_reservation_type": "NO_RESERVATION"},
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                # The autoscaler owns the number of nodes. A changed initial count would replace the pool.
                ignore_changes=["initialNodeCount"],
            ),
        )
        self.register_outputs({})
