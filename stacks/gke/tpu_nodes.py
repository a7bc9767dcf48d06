"""Where the TPU nodes of a GKE stack come from: a pool of one shape, or a class that GKE fills."""

from __future__ import annotations

import hashlib

import pulumi
import pulumi_gcp as gcp

from components.gcp.provisioning import Purchase
from components.gcp.tpu_pool import TpuPool, TpuPoolArgs
from components.kubernetes.compute_class import ComputeClass, ComputeClassArgs
from config.provisioning import ProvisioningFallback
from config.settings import Settings
from config.targets import GkeTarget
from stacks import workload
from stacks.gcp import common, stockout
from stacks.gcp.foundation_outputs import Foundation
from stacks.gcp.provisioning import purchase
from stacks.plan import Plan


def slices(
    settings: Settings,
    target: GkeTarget,
    resolved: Plan,
    cluster: gcp.container.Cluster,
    shared: Foundation,
    kept: pulumi.ResourceOptions,
    in_cluster: pulumi.ResourceOptions,
) -> tuple[pulumi.Resource, dict[str, pulumi.Input[str]]]:
    """Where TPU nodes come from, and how a pod asks for them."""
    slice_ = resolved.candidate.accelerator
    assert slice_.machine_type is not None
    disk = slice_.disk_types[0]
    if isinstance(target.capacity, ProvisioningFallback):
        ladder = ComputeClass(
            "slices",
            ComputeClassArgs(
                class_name=f"tpuserve-{pulumi.get_stack()}",
                accelerator=slice_,
                zone=target.zone,
                disk_type=disk,
                rungs=[purchase(rung) for rung in target.capacity.rungs],
                node_email=shared.node_email,
            ),
            in_cluster,
        )
        return ladder, {"cloud.google.com/compute-class": ladder.name}
    bought = purchase(target.capacity)
    pool = TpuPool(
        "slices",
        TpuPoolArgs(
            pool=pool_name(slice_.name, target.zone, bought),
            cluster=cluster.id,
            location=cluster.location,
            zone=target.zone,
            machine_type=slice_.machine_type,
            disk_type=disk,
            purchase=bought,
            nodes=settings.replicas,
            max_nodes=settings.replicas,
            node_email=shared.node_email,
            labels=common.labels(),
            on_error=stockout.hook(target, slice_, target.capacity),
        ),
        kept,
    )
    return pool, {**workload.slice_selector(slice_)}


def pool_name(slice_name: str, zone: str, bought: Purchase) -> str:
    """Shape and purchase in a name of at most 40 characters: what Google cannot change makes another pool.

    Four digits stand for what does not fit, the stack among it, so that two stacks can share a cluster.
    """
    reservation = bought.reservation and bought.reservation.path
    what = (pulumi.get_stack(), zone, str(reservation), str(bought.max_run_seconds))
    digits = hashlib.sha256("|".join(what).encode()).hexdigest()[:4]
    return f"{slice_name}-{bought.way}-{zone[-1]}-{digits}"
