"""Images of every registry that is accepted, in the whole plan of each kind of target."""

import json
from typing import Any

import pytest

from tests.inventory.recorder import Inventory, deployable, record, stack_config
from tests.inventory.test_inventory import inventory_of

DIGEST = "@sha256:" + "ab" * 32
MIRROR = "us-east5-docker.pkg.dev/inventory-project/tpuserve-images/"
OUR_IMAGE = f"europe-docker.pkg.dev/image-project/images/vllm-tpu{DIGEST}"
GRANT = "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember"
STACKS = [("staging", {}), ("dev", {}), ("dev", {"api": "cloud-tpu"})]
"""GKE, and TPU VMs of both APIs."""
PULLERS = {
    "kubernetes:batch/v1:Job",
    "kubernetes:apps/v1:Deployment",
    "gcp:compute/instanceGroupManager:InstanceGroupManager",
    "gcp:tpu/v2Vm:V2Vm",
}


def planned(stack: str, image: str, target: dict[str, Any]) -> Inventory:
    """The plan of a stack with this image."""
    config = deployable(stack_config(stack))
    config["tpuserve:target"] = json.dumps({**json.loads(config["tpuserve:target"]), **target})
    config["tpuserve:image"] = image
    return record(stack, config, {"foundation": inventory_of("foundation").outputs})


def pulled(plan: Inventory) -> set[str]:
    """Every image that a container, a boot script or a compose file of the plan names.

    The sidecar's settings name the release's image, which is none that is pulled.
    """
    resources = {key: each for key, each in plan.resources.items() if "::vllm-sidecar-" not in key}
    text = json.dumps(resources)
    for each in resources.values():
        settings = each.get("inputs", {}).get("metadata", {}).get("tpuserve-sidecar")
        text = text.replace(json.dumps(settings), "") if settings else text
    words = text.replace("\\n", " ").replace('"', " ").replace("\\", " ").replace("=", " ").split()
    return {word.strip("',") for word in words if DIGEST in word}


def awaited(plan: Inventory, key: str) -> set[str]:
    """Names of the resources that a resource and its components wait for."""
    entry = plan.resources[key]
    names = set(entry.get("dependsOn", ()))
    components = [each for each in plan.resources if each.startswith("tpuserve:") and each != key]
    parents = [each for each in components if each.split("::")[1] == entry.get("parent")]
    return names.union(*(awaited(plan, each) for each in parents))


@pytest.mark.parametrize(("stack", "target"), STACKS)
@pytest.mark.parametrize("host", ["", "docker.io/", "index.docker.io/"])
def test_docker_hub_goes_through_the_mirror(stack: str, target: dict[str, Any], host: str) -> None:
    plan = planned(stack, f"{host}vllm/vllm-tpu{DIGEST}", target)
    assert pulled(plan) == {f"{MIRROR}vllm/vllm-tpu{DIGEST}"}
    plain = planned(stack, f"vllm/vllm-tpu{DIGEST}", target)
    assert plan.outputs["release"] == plain.outputs["release"]
    assert plan.outputs["compile_cache"] == plain.outputs["compile_cache"]


@pytest.mark.parametrize(("stack", "target"), STACKS)
def test_artifact_registry_is_pulled_as_it_is_with_a_grant(stack: str, target: dict[str, Any]) -> None:
    plan = planned(stack, OUR_IMAGE, target)
    assert pulled(plan) == {OUR_IMAGE}
    [grant] = plan.of_type(GRANT).values()
    account = "tpu-node" if stack == "staging" else f"tpu-server-{stack}"
    assert grant["inputs"] == {
        "project": "image-project",
        "location": "europe",
        "repository": "images",
        "role": "roles/artifactregistry.reader",
        "member": f"serviceAccount:{account}@PROJECT.iam.gserviceaccount.com",
    }
    pullers = [key for key in plan.resources if key.split("::")[0] in PULLERS]
    assert pullers
    assert [key for key in pullers if "image-reader" not in awaited(plan, key)] == []
