"""Containers of every Kubernetes plan: a share of the node's disk that holds their volumes and fits."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from components.kubernetes.weights_volume import SIDECAR_DISK
from load_test.manifest import TMP_SIZE
from serving.deploy.ephemeral_storage import KEY, LOG_MIB, ephemeral_storage, mib
from serving.hardware import machines
from tests.inventory.test_inventory import STACKS, inventory_of

PODS = ("kubernetes:apps/v1:Deployment", "kubernetes:batch/v1:Job")


def pods(stack: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields kind and specification of each pod in a plan."""
    for kind in PODS:
        for entry in inventory_of(stack).of_type(kind).values():
            yield kind, entry["inputs"]["spec"]["template"]["spec"]


def containers(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*pod.get("initContainers", []), *pod["containers"]]


def on_disk(pod: Mapping[str, Any]) -> int:
    """Returns the MiB that the pod's volumes may take on the node's disk."""
    folders = [volume["emptyDir"] for volume in pod["volumes"] if "emptyDir" in volume]
    return sum(mib(each["sizeLimit"]) for each in folders if each.get("medium") != "Memory")


def allocatable_gib(disk_gib: float) -> float:
    """Returns the disk of a GKE node that pods may request: without the partitions of the node's image (6 GiB
    assumed), the eviction threshold and Google's reservation
    (https://cloud.google.com/kubernetes-engine/docs/concepts/plan-node-sizes)."""
    return 0.9 * (disk_gib - 6) - min(0.5 * disk_gib, 6 + 0.35 * disk_gib, 100)


@pytest.mark.parametrize("stack", STACKS)
def test_each_container_requests_its_disk_and_its_pod_has_room_for_its_volumes(stack: str) -> None:
    for _, pod in pods(stack):
        for container in containers(pod):
            resources = container["resources"]
            assert resources["requests"][KEY] == resources["limits"][KEY]
            assert mib(resources["limits"][KEY]) >= LOG_MIB
        limits = [mib(each["resources"]["limits"][KEY]) for each in pod["containers"]]
        assert sum(limits) == on_disk(pod) + LOG_MIB * len(pod["containers"])
        # The pod's limit is that of its containers only if no init container has a larger one.
        assert all(
            mib(each["resources"]["limits"][KEY]) <= sum(limits) for each in pod.get("initContainers", [])
        )


def test_the_documented_node_has_what_is_documented() -> None:
    assert allocatable_gib(100) == pytest.approx(47_060_071_478 / 2**30, abs=0.5)


@pytest.mark.parametrize("stack", ["baseline", "peak", "prod", "staging", "turbo-stable"])
def test_the_pods_fit_their_nodes(stack: str) -> None:
    driver, test = mib(SIDECAR_DISK), mib(ephemeral_storage(TMP_SIZE)[KEY])
    for kind, pod in pods(stack):
        requested = sum(mib(each["resources"]["requests"][KEY]) for each in pod["containers"])
        if kind == PODS[0]:  # a load test runs beside the server, each with a sidecar of the driver
            free = allocatable_gib(machines.TPU_NODE_DISK_GB)
            assert requested + driver + test + driver < 1024 * free
        else:
            assert requested < 1024 * allocatable_gib(machines.SYSTEM_DISK_GB)
