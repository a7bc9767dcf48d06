"""TPU nodes of one shape, bought one way."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from components.gcp.node_config import node_settings
from components.gcp.provisioning import Purchase, bought

DISK_GB = 200
"""Boot disk: the image unpacks to 20 GB, and the compile cache has the rest."""


@dataclass(frozen=True, kw_only=True)
class TpuPoolArgs:
    """`pool` names shape and purchase, because Google can change neither: another shape is another pool.

    `nodes` run always, up to `max_nodes` when the autoscaler wants more; flex-start starts from none.
    `on_error` is told why Google made no pool.
    """

    pool: str
    cluster: pulumi.Input[str]
    location: pulumi.Input[str]
    zone: str
    machine_type: str
    disk_type: str
    purchase: Purchase
    nodes: int
    max_nodes: int
    node_email: pulumi.Input[str]
    labels: Mapping[str, str]
    on_error: pulumi.ErrorHook


class TpuPool(pulumi.ComponentResource):
    """One node pool of single-host slices.

    No placement policy: GKE refuses a compact one for single-host slices
    (github.com/AI-Hypercomputer/xpk, issue 825).
    """

    def __init__(self, name: str, args: TpuPoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:gcp:TpuPool", name, None, opts)
        flex = args.purchase.way == "flex-start"
        least = 0 if flex else args.nodes
        gcp.container.NodePool(
            f"{name}-{args.pool}",
            name=args.pool,
            cluster=args.cluster,
            location=args.location,
            # A slice is in one zone; several would multiply the counts below.
            node_locations=[args.zone],
            initial_node_count=least,
            # Counts a zone, not in total: with the latter GKE refuses TPU pools
            # (github.com/vllm-project/ci-infra, pull request 545).
            autoscaling={
                "min_node_count": least,
                "max_node_count": args.max_nodes,
                "location_policy": "ANY",
            },
            # Flex-start nodes are never repaired, they end
            # (https://cloud.google.com/kubernetes-engine/docs/concepts/dws).
            management={"auto_repair": not flex, "auto_upgrade": True},
            # GKE sets the strategy of flex-start pools itself, to SHORT_LIVED. The provider does not accept
            # that value, so the block is left out for them. A spare slice to surge into is what nobody has.
            upgrade_settings=(None if flex else {"strategy": "SURGE", "max_surge": 0, "max_unavailable": 1}),
            node_config={
                **node_settings(args.node_email, args.labels),
                "machine_type": args.machine_type,
                "disk_type": args.disk_type,
                "disk_size_gb": DISK_GB,
                **bought(args.purchase),
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                # The autoscaler owns the number of nodes; a new number here would replace the pool.
                ignore_changes=["initialNodeCount"],
                hooks=pulumi.ResourceHookBinding(on_error=[args.on_error]),
                # Google answers a stock-out itself; this only outlasts it.
                custom_timeouts=pulumi.CustomTimeouts(create="60m", update="60m", delete="60m"),
            ),
        )
        self.register_outputs({})
