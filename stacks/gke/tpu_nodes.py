"""TPU nodes of a GKE stack: a node pool of one shape, or a ComputeClass for which GKE creates pools."""

from __future__ import annotations

import hashlib

import pulumi
import pulumi_gcp as gcp

from components.gcp.provisioning import Provisioning
from components.gcp.tpu_pool import TpuPool, TpuPoolArgs
from components.kubernetes.compute_class import ComputeClass, ComputeClassArgs
from config.provisioning import ProvisioningFallback
from config.settings import Settings
from config.targets import GkeTarget
from stacks import workload
from stacks.gcp import common, stockout
from stacks.gcp.foundation_outputs import Foundation
from stacks.gcp.provisioning import provisioning
from stacks.plan import Plan


def tpu_nodes(
    settings: Settings,
    target: GkeTarget,
    resolved: Plan,
    cluster: gcp.container.Cluster,
    foundation: Foundation,
    protected: pulumi.ResourceOptions,
    in_cluster: pulumi.ResourceOptions,
) -> tuple[pulumi.Resource, dict[str, pulumi.Input[str]]]:
    """Returns the resource that provides the TPU nodes, and the node selector of a pod that needs them."""
    slice_ = resolved.candidate.accelerator
    assert slice_.machine_type is not None
    disk = slice_.disk_types[0]
    if isinstance(target.capacity, ProvisioningFallback):
        compute_class = ComputeClass(
            "slices",
            ComputeClassArgs(
                class_name=f"tpuserve-{pulumi.get_stack()}",
                accelerator=slice_,
                zone=target.zone,
                disk_type=disk,
                options=[provisioning(rung) for rung in target.capacity.rungs],
                node_email=foundation.node_email,
            ),
            in_cluster,
        )
        return compute_class, {"cloud.google.com/compute-class": compute_class.name}
    provisioned = provisioning(target.capacity)
    pool = TpuPool(
        "slices",
        TpuPoolArgs(
            pool=pool_name(slice_.name, target.zone, provisioned),
            cluster=cluster.id,
            location=cluster.location,
            zone=target.zone,
            machine_type=slice_.machine_type,
            disk_type=disk,
            provisioning=provisioned,
            nodes=settings.replicas,
            max_nodes=settings.replicas + settings.rollout.surge,
            node_email=foundation.node_email,
            labels=common.labels(),
            on_error=stockout.hook(target, slice_, target.capacity),
        ),
        protected,
    )
    return pool, {**workload.slice_selector(slice_)}


def pool_name(slice_name: str, zone: str, provisioned: Provisioning) -> str:
    """Returns the pool's name, at most 40 characters, with everything that Google cannot change in a pool.

    It has the slice's shape, the provisioning model, the zone's letter, and four digits of a hash. The hash
    includes the stack, so that two stacks can share a cluster.
    """
    reservation = provisioned.reservation and provisioned.reservation.path
    hashed = (pulumi.get_stack(), zone, str(reservation), str(provisioned.max_run_seconds))
    digest = hashlib.sha256("|".join(hashed).encode()).hexdigest()[:4]
    return f"{slice_name}-{provisioned.model}-{zone[-1]}-{digest}"
