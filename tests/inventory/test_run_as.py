"""`target.run_as` in the plans: user, groups, owner of the weights and Pod Security level change together."""

import json
from typing import Any

import pytest
import yaml

from tests.inventory.recorder import Inventory, deployable, record, stack_config
from tests.inventory.test_inventory import inventory_of

ROWS = (("user", 10001, "restricted"), ("root", 0, "baseline"))


def plan(stack: str, run_as: str) -> Inventory:
    """Returns the plan of a delivered stack with this user."""
    config = deployable(stack_config(stack))
    target = {**yaml.safe_load(config["tpuserve:target"]), "run_as": run_as}
    references = {"foundation": inventory_of("foundation").outputs} if stack != "local" else {}
    return record(stack, {**config, "tpuserve:target": json.dumps(target)}, references)


def only(listed: Inventory, kind: str) -> Any:
    (entry,) = listed.of_type(kind).values()
    return entry["inputs"]


@pytest.mark.parametrize(("run_as", "uid", "level"), ROWS)
@pytest.mark.parametrize("stack", ["staging", "local"])
def test_the_pod_and_its_namespace_agree(stack: str, run_as: str, uid: int, level: str) -> None:
    listed = plan(stack, run_as)
    pod = only(listed, "kubernetes:apps/v1:Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"] == {
        "runAsNonRoot": uid != 0,
        "runAsUser": uid,
        "runAsGroup": uid,
        "fsGroup": uid,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for container in (*pod["initContainers"], *pod["containers"]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    labels = only(listed, "kubernetes:core/v1:Namespace")["metadata"]["labels"]
    assert labels == {"pod-security.kubernetes.io/enforce": level}
    assert any("target.run_as is root" in text for text in listed.outputs["findings"]) == (uid == 0)


@pytest.mark.parametrize(("run_as", "uid", "level"), ROWS)
def test_only_the_server_changes_its_user(run_as: str, uid: int, level: str) -> None:
    del level
    listed = plan("staging", run_as)
    models = only(listed, "kubernetes:apps/v1:Deployment")["spec"]["template"]["spec"]["volumes"][0]
    assert f",uid={uid},gid={uid}," in models["csi"]["volumeAttributes"]["mountOptions"]
    job = only(listed, "kubernetes:batch/v1:Job")["spec"]["template"]["spec"]
    assert job["securityContext"]["runAsUser"] == 10001 and job["securityContext"]["runAsNonRoot"] is True
    # The user is no part of a release: staging and prod may have different ones.
    assert listed.outputs["release"] == inventory_of("staging").outputs["release"]
