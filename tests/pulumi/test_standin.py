"""The fake cloud under the real CLI: the life of resources, drift, replacement, faults and refusals."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from tests.pulumi.program import Program
from tools import toolchain
from tools.fake_gcp.schema.example_parts import CLUSTER, GROUP, POOL, TEMPLATE

type Resources = dict[str, tuple[str, dict[str, Any], dict[str, Any]]]

NET = "projects/acme-tpu-prod/global/networks/tpu"
NODE_POOL = "gcp:container/nodePool:NodePool"


def foundation() -> Resources:
    """Returns services, a network and a subnetwork."""
    services = ("compute", "container")
    resources: Resources = {
        name: ("gcp:projects/service:Service", {"service": f"{name}.googleapis.com"}, {}) for name in services
    }
    resources["net"] = (
        "gcp:compute/network:Network",
        {"name": "tpu", "autoCreateSubnetworks": False},
        {"depends_on": services},
    )
    resources["sub"] = (
        "gcp:compute/subnetwork:Subnetwork",
        {"name": "tpu", "network": "${net}", "ipCidrRange": "10.0.0.0/20"},
        {},
    )
    return resources


def gke(**node: Any) -> Resources:
    """Returns the foundation, a cluster, and a TPU pool whose nodeConfig is changed by `node`."""
    cluster = {**copy.deepcopy(CLUSTER), "network": "${net}", "subnetwork": "${sub}"}
    pool = {**copy.deepcopy(POOL), "cluster": "${cluster}"}
    pool["nodeConfig"] |= node
    return {
        **foundation(),
        "cluster": ("gcp:container/cluster:Cluster", {**cluster, "deletionProtection": False}, {}),
        "pool": (NODE_POOL, pool, {}),
    }


def vm(**group: Any) -> Resources:
    """Returns the foundation and a group of one TPU VM."""
    template = {**copy.deepcopy(TEMPLATE), "networkInterfaces": [{"subnetwork": "${sub}"}]}
    del template["name"]
    inputs = {**copy.deepcopy(GROUP), "versions": [{"instanceTemplate": "${template}"}], **group}
    return {
        **foundation(),
        "template": ("gcp:compute/instanceTemplate:InstanceTemplate", {**template, "namePrefix": "tpu-"}, {}),
        "group": ("gcp:compute/instanceGroupManager:InstanceGroupManager", inputs, {}),
    }


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Returns an empty project."""
    toolchain.ensure("pulumi")
    return Program(tmp_path)


def changes(output: str) -> dict[str, int]:
    """Returns the counts at the end of the CLI's output: created, updated, replaced, deleted, unchanged."""
    return {
        word: int(number)
        for number, word in re.findall(r"(\d+) (created|updated|replaced|deleted|unchanged)\b", output)
    }


def test_the_life_of_a_cluster(program: Program) -> None:
    program.write(gke())
    shown = program.good("preview")
    assert "fake Google Cloud" in shown and "8 to create" in shown
    assert changes(program.up()) == {"created": 8}
    program.good("up", "--yes", "--skip-preview", "--expect-no-changes")
    program.good("refresh", "--yes", "--expect-no-changes")
    cluster = program.state()["cluster"]["outputs"]
    assert cluster["endpoint"] and cluster["masterAuth"]["clusterCaCertificate"]

    program.write(gke(labels={"pool": "tpu", "team": "serving"}))
    assert changes(program.up()) == {"updated": 1, "unchanged": 7}
    program.write(gke(spot=True))
    shown = program.good("preview", "--diff")
    assert "+-gcp:container/nodePool:NodePool: (replace)" in shown and "spot" in shown
    assert changes(program.up()) == {"replaced": 1, "unchanged": 7}
    assert program.console.find("nodePools/tpu-v6e-4")["inputs"]["nodeConfig"]["spot"] is True

    assert changes(program.good("destroy", "--yes", "--skip-preview")) == {"deleted": 8}
    assert program.console.objects() == {}


def test_drift_is_found_and_repaired(program: Program) -> None:
    program.write(gke())
    program.up()
    program.console.edit("nodePools/tpu-v6e-4", "nodeConfig.labels.team", "somebody else")
    program.console.edit("clusters/serving", "releaseChannel.channel", "RAPID")
    program.good("up", "--yes", "--skip-preview", "--expect-no-changes")
    shown = program.bad("refresh", "--preview-only", "--expect-no-changes")
    assert "2 to update" in shown
    shown = program.good("up", "--yes", "--skip-preview", "--refresh")
    assert changes(shown)["updated"] == 2
    assert program.console.find("clusters/serving")["inputs"]["releaseChannel"] == {"channel": "REGULAR"}
    program.good("refresh", "--yes", "--expect-no-changes")

    program.console.remove("nodePools/tpu-v6e-4")
    shown = program.good("up", "--yes", "--skip-preview", "--refresh")
    assert changes(shown)["created"] == 1


def test_what_is_ignored_stays(program: Program) -> None:
    resources = gke()
    resources["pool"][2]["ignore_changes"] = ["initialNodeCount", "nodeConfig.labels"]
    program.write(resources)
    program.up()
    program.console.edit("nodePools/tpu-v6e-4", "nodeConfig.labels", {"made": "by GKE"})
    resources["pool"][1]["initialNodeCount"] = 3
    program.write(resources)
    shown = program.good("up", "--yes", "--skip-preview", "--refresh")
    assert "replaced" not in changes(shown)
    assert program.console.find("nodePools/tpu-v6e-4")["inputs"]["nodeConfig"]["labels"] == {"made": "by GKE"}


def test_no_capacity_and_then_capacity(program: Program) -> None:
    program.write(gke())
    program.console.order({"fault": "stockout", "type": "*NodePool"})
    shown = program.bad("up", "--yes", "--skip-preview")
    assert "[GCE_STOCKOUT]" in shown and "zones/us-east5-b' does not have enough resources" in shown
    assert program.state()["pool"]["initErrors"]
    assert changes(program.up()) == {"updated": 1, "unchanged": 7}
    assert "initErrors" not in program.state()["pool"]
    program.good("up", "--yes", "--skip-preview", "--expect-no-changes")


FAULTS = [
    ({"fault": "unavailable", "type": "*Network"}, "Error 503"),
    ({"fault": "permission", "type": "*Subnetwork"}, "Required 'compute.subnetworks.create' permission"),
    ({"fault": "timeout", "type": "*Cluster"}, "(last state: 'RUNNING', timeout: 40m0s)"),
    ({"fault": "quota", "type": "*NodePool"}, "Quota 'TPUS_PER_TPU_FAMILY' exceeded. Limit: 0.0 in region"),
]


def test_each_fault_ends_the_run_and_the_next_one_goes_on(program: Program) -> None:
    program.write(gke())
    for fault, sentence in FAULTS:
        program.console.order(fault)
        assert sentence in program.bad("up", "--yes", "--skip-preview"), fault
    program.up()
    program.good("up", "--yes", "--skip-preview", "--expect-no-changes")


def test_a_lost_answer_needs_an_import(program: Program) -> None:
    program.write(foundation())
    program.console.order({"fault": "lost", "type": "*Network"})
    assert "unexpected EOF" in program.bad("up", "--yes", "--skip-preview")
    assert f"The resource '{NET}' already exists, alreadyExists" in program.bad(
        "up", "--yes", "--skip-preview"
    )
    resources = foundation()
    resources["net"][2]["import_"] = NET
    program.write(resources)
    program.up()
    program.write(foundation())
    program.good("up", "--yes", "--skip-preview", "--expect-no-changes")


def test_the_programs_timeouts_count(program: Program) -> None:
    program.console.order({"fault": "slow", "type": "*NodePool", "seconds": 2400, "times": 0})
    resources = gke()
    program.write(resources)
    assert "timeout: 30m0s" in program.bad("up", "--yes", "--skip-preview")
    program.write({name: item for name, item in resources.items() if name != "pool"})
    program.up()
    resources["pool"][2]["custom_timeouts"] = {"create": "1h"}
    program.write(resources)
    assert changes(program.up())["created"] == 1


def test_a_group_of_vms(program: Program) -> None:
    program.console.order({"fault": "unhealthy", "type": "*GroupManager"})
    program.write(vm())
    shown = program.bad("up", "--yes", "--skip-preview")
    assert "state to become 'created' (last state: 'creating', timeout: 15m0s)" in shown
    program.up()
    assert program.state()["group"]["outputs"]["statuses"][0]["isStable"] is True

    resources = vm()
    resources["template"][1]["metadata"] = {"release": "two"}
    program.write(resources)
    shown = program.up()
    assert changes(shown) == {"updated": 1, "replaced": 1, "unchanged": 6}, shown
    program.console.preempt("instanceGroupManagers/vllm")
    program.good("refresh", "--yes", "--skip-preview")
    assert program.state()["group"]["outputs"]["statuses"][0]["isStable"] is False
    program.good("refresh", "--yes", "--skip-preview")
    assert program.state()["group"]["outputs"]["statuses"][0]["isStable"] is True
    assert changes(program.good("destroy", "--yes", "--skip-preview"))["deleted"] == 8


def test_a_refusal_comes_in_the_preview(program: Program) -> None:
    resources = gke(diskType="pd-balanced", machineTyp="ct6e-standard-4t")
    program.write(resources)
    shown = program.bad("preview")
    assert "has no input 'machineTyp'; the nearest that exists is 'machineType'" in shown
    resources = gke(diskType="pd-balanced")
    resources["pool"][1]["placementPolicy"] = {"type": "COMPACT", "tpuTopology": "2x2"}
    program.write(resources)
    shown = program.bad("preview")
    assert "hyperdisk-ml disks, not pd-balanced" in shown and "takes no placementPolicy" in shown
    assert program.console.objects() == {}


def test_protection_and_secrets(program: Program) -> None:
    resources = gke()
    resources["cluster"][1]["deletionProtection"] = True
    resources["sub"][1]["description"] = {"secret": "canary-4711"}
    program.write(resources)
    program.up()
    shown = program.bad("destroy", "--yes", "--skip-preview")
    assert "Cannot destroy cluster because deletion_protection is set to true" in shown
    assert "canary-4711" not in program.good("stack", "export")


def test_the_providers_settings(program: Program) -> None:
    program.config["regoin"] = "us-east5"
    program.write(foundation())
    assert "The gcp provider has no setting 'regoin'" in program.bad("preview")
    del program.config["regoin"]
    program.config["defaultLabels"] = '{"team": "serving"}'
    program.write(
        {
            "bucket": (
                "gcp:storage/bucket:Bucket",
                {"name": "acme-tpu-artifacts", "location": "US-EAST5", "effectiveLabels": None},
                {},
            )
        }
    )
    program.up()
    labels = program.console.find("acme-tpu-artifacts")["outputs"]["effectiveLabels"]
    assert labels == {"goog-pulumi-provisioned": "true", "team": "serving"}
