"""Stacks of TPU VMs under the real CLI: their life, their failures, and what each change does."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.pulumi.deployment import Deployment, in_the_way, steps
from tests.pulumi.gke_changes import all_of, papers
from tests.tpu_vm.lab import CANARY

GROUP = "vllm-group"
TARGET = {
    "kind": "tpu-vm",
    "project": "inventory-project",
    "zone": "us-east5-b",
    "capacity": {"kind": "spot"},
}
REGIONAL = {**TARGET, "keep_data": False, "other_zones": ["us-east5-a"]}
ENDPOINT = {"hostname": "tpuserve.example.org"}


@pytest.fixture(scope="module")
def deployed(founded: Deployment) -> Deployment:
    """Yields the foundation and dev, both up; a test takes dev down at the end."""
    founded.add("dev", {})
    founded.up()
    return founded


def test_a_deployed_group_is_stable_and_changes_nothing_more(deployed: Deployment) -> None:
    group = deployed.state()[GROUP]
    assert group["outputs"]["statuses"][0]["isStable"] is True
    assert "unchanged" in deployed.good("up", "--yes", "--skip-preview", "--expect-no-changes")
    deployed.good("preview", "--expect-no-changes")
    deployed.good("refresh", "--yes", "--skip-preview", "--expect-no-changes")


def test_no_secret_is_in_state_or_metadata(deployed: Deployment) -> None:
    """The key's value is only in Secret Manager: the template contains its name."""
    deployed.console.order()
    exported = deployed.good("stack", "export", "--show-secrets")
    assert CANARY not in exported
    metadata = deployed.state()["machine-template"]["inputs"]["metadata"]
    assert "secrets/tpuserve-api-key-dev/versions/latest" in metadata["startup-script"]
    assert not re.search(r"api[-_]key\s*=|hf_[A-Za-z0-9]{20}", json.dumps(metadata).lower())


def test_a_preempted_group_heals(deployed: Deployment) -> None:
    name = deployed.state()[GROUP]["inputs"]["name"]
    deployed.console.preempt(f"instanceGroupManagers/{name}")
    deployed.good("refresh", "--yes", "--skip-preview")
    assert not stable(deployed)
    deployed.good("refresh", "--yes", "--skip-preview")
    assert stable(deployed)
    assert recreated(deployed, name) == [1]


def stable(deployed: Deployment) -> bool:
    """Returns whether the last `up` or refresh saw the group stable."""
    return deployed.state()[GROUP]["outputs"]["statuses"][0]["isStable"]


def recreated(deployed: Deployment, group: str) -> list[int]:
    """Returns how often the group has recreated each of its machines."""
    found = deployed.console.find(f"instanceGroupManagers/{group}")
    return [item.get("recreated", 0) for item in found["instances"]]


NEW_TEMPLATE = {"machine-template": "replace, new first"}
ROLLED = {**NEW_TEMPLATE, GROUP: "update"}
"""Steps when the group itself puts the new template on its machines, one after the other."""
REPLACED = {**NEW_TEMPLATE, GROUP: "replace"}
PAIR = {"replicas": 2}
# The number in a row is that of the servers that answer meanwhile. With 0, nobody answers for one boot with
# its acceptance.
CHANGES: tuple[tuple[str, dict[str, Any], int, dict[str, str]], ...] = (
    ("another engine is another machine", {"engine": {"max_num_seqs": 64}}, 0, ROLLED),
    ("one of two machines at a time", {**PAIR, "engine": {"max_num_seqs": 64}}, 1, ROLLED),
    ("another scenario", {"scenario": "interactive"}, 0, ROLLED),
    ("another revision of the weights", {"model_revision": "f" * 40}, 0, ROLLED),
    ("another image", {"image": f"vllm/vllm-tpu:v0.33.0@sha256:{'1' * 64}"}, 0, ROLLED),
    ("longer requests drain longer", {"longest_request_seconds": 400}, 0, ROLLED),
    ("another acceptance", {"acceptance": {"off": ["ladder"]}}, 0, ROLLED),
    ("no key", {"authentication": "none"}, 0, ROLLED),
    ("bought on demand", {"target": {**TARGET, "capacity": {"kind": "on-demand"}}}, 0, ROLLED),
    (
        "bought in a reservation",
        {"target": {**TARGET, "capacity": {"kind": "reservation", "name": "v6e"}}},
        0,
        ROLLED,
    ),
    ("all on the boot disk", {"target": {**TARGET, "keep_data": False}}, 0, REPLACED),
    (
        "a second slice for the change",
        {"target": {**TARGET, "keep_data": False}, "rollout": {"surge": 1}},
        1,
        {**NEW_TEMPLATE, GROUP: "replace, new first"},
    ),
    ("another zone", {"target": {**TARGET, "zone": "us-east5-a"}}, 0, {GROUP: "replace"}),
    (
        "wherever the region has capacity: a group of another type",
        {"target": REGIONAL},
        1,
        {GROUP: "create, delete", **NEW_TEMPLATE},
    ),
    ("two servers", PAIR, 1, {GROUP: "update"}),
    (
        "clients in the VPC",
        {"target": {**TARGET, "clients": ["10.9.0.0/16"]}},
        1,
        {"firewall-clients": "create"},
    ),
    (
        "a load balancer: what a stop waits for is in the machine",
        {"target": {**TARGET, "endpoint": ENDPOINT}},
        0,
        {
            **ROLLED,
            "firewall-balancer": "create",
            **{f"balancer-{part}": "create" for part in ("ready", "backend", "routes", "proxy", "address")},
            **all_of(papers(ENDPOINT["hostname"]), "create"),
        },
    ),
    (
        "flex-start: by request, and never repaired",
        {"target": {**TARGET, "capacity": {"kind": "flex-start"}, "keep_data": False}},
        0,
        {**REPLACED, "vllm-request": "create"},
    ),
)


@pytest.mark.parametrize(("case", "changes", "answer", "expected"), CHANGES, ids=[row[0] for row in CHANGES])
def test_a_change_does_this_and_nothing_else(
    deployed: Deployment, case: str, changes: dict[str, Any], answer: int, expected: dict[str, str]
) -> None:
    deployed.change(changes)
    planned = deployed.planned()
    assert steps(planned) == expected, case
    # A group replaces the old one only when its own servers are accepted, so a failure leaves the old one.
    assert [name for name in in_the_way(planned) if name != GROUP] == []
    assert answering(planned) == answer


def answering(planned: list[dict[str, Any]]) -> int:
    """Returns how many servers answer while a change of the deployed stack, which has one, is made.

    A new template takes out as many machines at a time as the group's policy says. A group that is created
    first is the old one's successor.
    """
    found = steps(planned)
    if found.get(GROUP) == "replace":
        return 0
    if found.get(GROUP) != "update" or "machine-template" not in found:
        return 1
    [group] = [each["newState"]["inputs"] for each in planned if each["urn"].endswith(f"::{GROUP}")]
    return group["targetSize"] - group["updatePolicy"]["maxUnavailableFixed"]


def test_a_mere_commit_replaces_no_machine_and_the_next_release_names_it(
    deployed: Deployment, tmp_path: Path
) -> None:
    git = ("git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message", "x"], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    deployed.change({})
    deployed.variables["GIT_DIR"] = str(tmp_path / ".git")
    try:
        deployed.good("preview", "--expect-no-changes")
        deployed.change({"engine": {"max_num_seqs": 64}})
        inputs = [
            each["newState"]["inputs"] for each in deployed.planned() if each["op"] == "create-replacement"
        ]
    finally:
        del deployed.variables["GIT_DIR"]
    [template] = [each for each in inputs if "machineType" in each]
    settings = json.loads(template["metadata"]["tpuserve-sidecar"])["sidecar.json"]
    assert json.loads(settings)["record"]["commit"] == commit.stdout.strip()


def test_without_capacity_up_fails_and_goes_on_later(deployed: Deployment) -> None:
    deployed.change({"engine": {"max_num_seqs": 32}})
    deployed.console.order({"fault": "stockout", "type": "*GroupManager", "on": "update"})
    shown = deployed.bad("up", "--yes", "--skip-preview")
    assert "asks for a v6e-4 in us-east5-b, where Google has none free now" in shown
    deployed.console.order()
    deployed.up()
    assert stable(deployed)


def test_a_machine_that_never_answers_fails_the_up_and_is_left_for_a_repair(
    deployed: Deployment,
) -> None:
    deployed.change({"engine": {"max_num_seqs": 48}})
    deployed.console.order({"fault": "unhealthy", "type": "*GroupManager", "on": "update"})
    assert "state to become 'created'" in deployed.bad("up", "--yes", "--skip-preview")
    deployed.console.order()
    for _ in range(2):
        deployed.good("refresh", "--yes", "--skip-preview")
    name = deployed.state()[GROUP]["inputs"]["name"]
    assert not stable(deployed)
    deployed.console.repair(f"instanceGroupManagers/{name}")
    deployed.good("refresh", "--yes", "--skip-preview")
    assert stable(deployed)
    assert recreated(deployed, name) == [0]
    deployed.good("preview", "--expect-no-changes")


def test_the_whole_door_and_back(deployed: Deployment) -> None:
    deployed.change({"target": {**TARGET, "endpoint": ENDPOINT}})
    deployed.up()
    outputs = json.loads(deployed.good("stack", "output", "--json"))
    assert outputs["endpoint"] == "https://tpuserve.example.org/v1"
    assert outputs["dns_records"][0].startswith("tpuserve.example.org A ")
    deployed.good("preview", "--expect-no-changes")
    # The longest request that is offered is one that Google's load balancer can drain.
    deployed.change({"target": {**TARGET, "endpoint": ENDPOINT}, "longest_request_seconds": 3600})
    assert deployed.steps() == {**ROLLED, "balancer-backend": "update"}


def test_behind_a_door_releases_and_moves_go_on(deployed: Deployment) -> None:
    """Google deletes neither a group that a load balancer uses nor a certificate in use."""
    deployed.change({"target": {**TARGET, "endpoint": ENDPOINT}, "engine": {"max_num_seqs": 64}})
    assert deployed.steps() == ROLLED
    deployed.up()
    other = {**TARGET, "zone": "us-east5-a", "endpoint": {"hostname": "other.example.org"}}
    deployed.change({"target": other, "engine": {"max_num_seqs": 64}})
    assert deployed.steps() == {
        GROUP: "replace, new first",
        "balancer-backend": "update",
        "balancer-proxy": "update",
        **all_of(papers("other.example.org"), "create"),
        **all_of(papers(ENDPOINT["hostname"]), "delete"),
    }
    deployed.up()
    # Two steps: while the load balancer exists, it uses the group.
    deployed.change({"target": {**TARGET, "zone": "us-east5-a"}, "engine": {"max_num_seqs": 64}})
    deployed.up()
    deployed.change({})
    deployed.up()


def test_protected_machines_take_a_release_and_are_not_destroyed(deployed: Deployment) -> None:
    deployed.change({"target": {**TARGET, "protect": True}, "engine": {"max_num_seqs": 64}})
    deployed.up()
    deployed.change({"target": {**TARGET, "protect": True}})
    deployed.up()
    assert "cannot be deleted" in deployed.bad("destroy", "--yes")
    deployed.change({})
    deployed.up()


def test_a_group_over_two_zones_behind_a_door_and_back(deployed: Deployment) -> None:
    deployed.change({"target": {**REGIONAL, "endpoint": ENDPOINT}})
    deployed.up()
    group = deployed.state()[GROUP]
    assert group["type"] == "gcp:compute/regionInstanceGroupManager:RegionInstanceGroupManager"
    assert group["inputs"]["distributionPolicyZones"] == ["us-east5-b", "us-east5-a"]
    assert group["outputs"]["statuses"][0]["isStable"] is True
    deployed.good("preview", "--expect-no-changes")
    deployed.change({})
    deployed.up()


def test_the_cloud_tpu_api_and_back(deployed: Deployment) -> None:
    deployed.change({"target": {**TARGET, "api": "cloud-tpu"}})
    shown = deployed.up()
    assert "A preempted machine is not recreated and holds its quota" in shown
    [disk] = [name for name in deployed.state() if name.startswith("tpu-data-us-east5-b-")]
    assert GROUP not in deployed.state()
    deployed.good("preview", "--expect-no-changes")

    deployed.change(
        {
            "target": {**TARGET, "api": "cloud-tpu"},
            "model": "gemma-4-e4b-it",
            "model_revision": "f" * 40,
        }
    )
    steps = deployed.steps()
    [smaller] = [name for name in steps if name.startswith("tpu-data-") and name != disk]
    assert steps == {"tpu-vm": "replace", smaller: "create", disk: "delete"}
    deployed.up()
    assert smaller in deployed.state() and disk not in deployed.state()
    deployed.change({})
    deployed.up()
    assert "tpu-vm" not in deployed.state()


def test_taken_down_the_foundation_stays(deployed: Deployment) -> None:
    deployed.good("destroy", "--yes", "--skip-preview")
    assert [name for name in deployed.state() if name.startswith(("vllm", "machine", "firewall"))] == []
    deployed.use("foundation")
    deployed.good("preview", "--expect-no-changes")


def test_the_placeholder_project_is_previewed_and_not_deployed(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path)
    deployment.add("dev", {"target": {**TARGET, "project": "my-project"}})
    refused = deployment.bad("up", "--yes", "--skip-preview")
    assert "target.project is still the placeholder my-project" in refused
    assert "Traceback" not in refused
