"""The fake Google Cloud: references, protection, faults, drift, instance groups, without the CLI."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tools.fake_gcp.checks import diff, values
from tools.fake_gcp.cloud import operations, store
from tools.fake_gcp.cloud.console import Console
from tools.fake_gcp.cloud.errors import GoogleError, Unfinished
from tools.fake_gcp.schema import kind
from tools.fake_gcp.schema.example_parts import CONFIG, GROUP, POOL
from tools.fake_gcp.schema.examples import EXAMPLES
from tools.fake_gcp.schema.kind import UNKNOWN

PROJECT = CONFIG["project"]
NETWORK = "gcp:compute/network:Network"
SUBNET = "gcp:compute/subnetwork:Subnetwork"
CLUSTER = "gcp:container/cluster:Cluster"
NODES = "gcp:container/nodePool:NodePool"
MIG = "gcp:compute/instanceGroupManager:InstanceGroupManager"
TEMPLATE = "gcp:compute/instanceTemplate:InstanceTemplate"
BUCKET = "gcp:storage/bucket:Bucket"
SECRET = "gcp:secretmanager/secret:Secret"


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    """A project whose APIs are enabled."""
    monkeypatch.setenv(store.VARIABLE, str(tmp_path))
    console = Console(tmp_path, PROJECT)
    console.enable("compute", "container", "secretmanager", "artifactregistry", "iam", "cloudkms", "tpu")
    console.enable("certificatemanager", "cloudresourcemanager", "dns")
    yield console


def make(token: str, timeout: float = 0, **changes: Any) -> dict[str, Any]:
    """Create a type's example."""
    of = kind.find(token)
    assert of
    return operations.create(of, {**copy.deepcopy(EXAMPLES[token]), **changes}, CONFIG, timeout)


def base(*tokens: str) -> None:
    """Resources that others refer to."""
    for token in tokens:
        make(token)


def delete(token: str, identity: str) -> None:
    of = kind.find(token)
    assert of
    operations.delete(of, identity, PROJECT)


def read(token: str, identity: str) -> dict[str, Any] | None:
    of = kind.find(token)
    assert of
    return operations.read(of, identity, PROJECT)


def test_every_example_can_be_made_and_unmade(console: Console) -> None:
    made: list[tuple[str, str]] = []
    waiting = dict(EXAMPLES)
    while waiting:
        before = len(waiting)
        for token in list(waiting):
            try:
                made.append((token, make(token)["id"]))
            except GoogleError as error:
                assert "was not found" in str(error)
            else:
                del waiting[token]
        assert len(waiting) < before, f"no way to make {sorted(waiting)}"
    for token, identity in reversed(made):
        if token == CLUSTER:
            console.edit(identity, "deletionProtection", False)
        delete(token, identity)
    assert console.objects() == {}


def test_an_api_that_is_not_enabled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path))
    with pytest.raises(GoogleError, match="compute API has not been used in project acme-tpu-prod before"):
        make(NETWORK)
    make("gcp:projects/service:Service")
    make(NETWORK)


def test_references_must_exist_and_hold(console: Console) -> None:
    with pytest.raises(GoogleError, match=r"networks/tpu' \(network of .*\) was not found, notFound"):
        make(SUBNET)
    network = make(NETWORK)
    make(SUBNET)
    with pytest.raises(GoogleError, match=r"already being used by .*subnetworks/tpu"):
        delete(NETWORK, network["id"])
    with pytest.raises(GoogleError, match="already exists, alreadyExists"):
        make(NETWORK)


def test_a_pool_must_fit_its_cluster(console: Console) -> None:
    base(NETWORK, SUBNET, CLUSTER)
    with pytest.raises(GoogleError, match="Auto_upgrade must be true when release_channel REGULAR is set"):
        make(NODES, management={"autoRepair": True, "autoUpgrade": False})
    console.edit("clusters/serving", "workloadIdentityConfig", None)
    with pytest.raises(GoogleError, match="needs Workload Identity on the cluster"):
        make(NODES)


def test_a_cluster_takes_its_pools_along(console: Console) -> None:
    base(NETWORK, SUBNET)
    cluster = make(CLUSTER, deletionProtection=False)
    make(NODES)
    delete(CLUSTER, cluster["id"])
    assert not [name for name in console.objects() if "clusters/" in name]


def test_protection(console: Console) -> None:
    base(NETWORK, SUBNET)
    cluster = make(CLUSTER)
    with pytest.raises(GoogleError, match="deletion_protection is set to true"):
        delete(CLUSTER, cluster["id"])
    bucket = make(BUCKET)
    console.upload("acme-tpu-artifacts", "weights/model.safetensors")
    with pytest.raises(GoogleError, match="containing objects without `force_destroy` set to true"):
        delete(BUCKET, bucket["id"])
    console.edit("acme-tpu-artifacts", "forceDestroy", True)
    delete(BUCKET, bucket["id"])
    secret = make(SECRET, deletionPolicy="PREVENT")
    with pytest.raises(GoogleError, match="deletionPolicy is PREVENT"):
        delete(SECRET, secret["id"])


def test_a_deleted_key_keeps_its_name(console: Console) -> None:
    ring = make("gcp:kms/keyRing:KeyRing")
    delete("gcp:kms/keyRing:KeyRing", ring["id"])
    assert read("gcp:kms/keyRing:KeyRing", ring["id"]) is None
    with pytest.raises(GoogleError, match="alreadyExists"):
        make("gcp:kms/keyRing:KeyRing")


REFUSING = [
    ("permission", {}, "Required 'compute.networks.create' permission for 'projects/acme-tpu-prod/"),
    ("quota", {"quota": "NETWORKS", "limit": 5}, "Quota 'NETWORKS' exceeded. Limit: 5.0 in region us-east5"),
    ("unavailable", {}, "Error 503: The service is currently unavailable"),
    ("stockout", {}, "ZONE_RESOURCE_POOL_EXHAUSTED"),
]


@pytest.mark.parametrize(("fault", "more", "text"), REFUSING)
def test_a_fault_that_makes_nothing(console: Console, fault: str, more: dict[str, Any], text: str) -> None:
    console.order({"fault": fault, "type": "*Network", **more})
    with pytest.raises(GoogleError) as caught:
        make(NETWORK)
    assert text in str(caught.value) and not isinstance(caught.value, Unfinished)
    assert console.objects() == {}
    make(NETWORK)


def test_a_lost_answer_leaves_the_thing_there(console: Console) -> None:
    console.order({"fault": "lost"})
    with pytest.raises(GoogleError, match="unexpected EOF"):
        make(NETWORK)
    with pytest.raises(GoogleError, match="alreadyExists"):
        make(NETWORK)


def test_no_capacity_for_a_node_pool(console: Console) -> None:
    base(NETWORK, SUBNET, CLUSTER)
    console.order({"fault": "stockout", "type": "*NodePool"})
    with pytest.raises(Unfinished, match=r"GCE_STOCKOUT.*zones/us-east5-b' does not have enough"):
        make(NODES)
    pool = console.find("tpu-v6e-4")
    assert pool["state"] == "ERROR"
    of = kind.find(NODES)
    assert of
    assert operations.update(of, pool["id"], POOL, CONFIG, 0)["state"] == "RUNNING"


def test_simulated_time(console: Console) -> None:
    console.order({"fault": "slow", "seconds": 1300, "times": 0})
    with pytest.raises(Unfinished, match=r"state to become 'DONE' \(last state: 'RUNNING', timeout: 20m0s\)"):
        make(NETWORK)
    make(NETWORK, timeout=3600, name="patient")


def test_drift_and_times(console: Console) -> None:
    bucket = make(BUCKET)
    console.order({"fault": "drift", "type": "*Bucket", "set": {"storageClass": "NEARLINE"}})
    first = read(BUCKET, bucket["id"])
    assert first and first["inputs"]["storageClass"] == "NEARLINE"
    console.edit("acme-tpu-artifacts", "storageClass", "STANDARD")
    second = read(BUCKET, bucket["id"])
    assert second and second["inputs"]["storageClass"] == "STANDARD"


def test_an_unknown_fault_is_refused(console: Console) -> None:
    console.order({"fault": "earthquake"})
    with pytest.raises(ValueError, match="use one of permission, quota"):
        make(NETWORK)


@pytest.mark.parametrize(("on_sick", "recreated"), [("REPAIR", 1), ("DO_NOTHING", 0)])
def test_a_group_that_never_turns_healthy(console: Console, on_sick: str, recreated: int) -> None:
    base(NETWORK, SUBNET, TEMPLATE)
    console.order({"fault": "unhealthy", "type": "*GroupManager"})
    with pytest.raises(Unfinished, match=r"become 'created' \(last state: 'creating', timeout: 15m0s\)"):
        make(MIG, instanceLifecyclePolicy={"onFailedHealthCheck": on_sick})
    identity = console.find("instanceGroupManagers/vllm")["id"]
    _, group = read(MIG, identity), read(MIG, identity)
    assert group and group["instances"][0]["action"] == "VERIFYING"
    assert group["instances"][0].get("recreated", 0) == recreated
    assert not group["outputs"]["statuses"][0]["isStable"]


def test_a_group_heals_after_preemption(console: Console) -> None:
    base(NETWORK, SUBNET, TEMPLATE)
    group = make(MIG)
    assert group["outputs"]["statuses"][0]["isStable"]
    console.preempt("instanceGroupManagers/vllm")
    seen = []
    for _ in range(3):
        entry = read(MIG, group["id"])
        assert entry
        seen.append((entry["instances"][0]["action"], entry["outputs"]["statuses"][0]["isStable"]))
    assert seen == [("VERIFYING", False), ("NONE", True), ("NONE", True)]


def test_the_state_folder_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(store.VARIABLE, raising=False)
    with pytest.raises(ValueError, match=f"set {store.VARIABLE}"):
        store.folder()


DIFFS: list[tuple[str, dict[str, Any], list[tuple[str, str, bool]]]] = [
    (NODES, {"nodeConfig": {**POOL["nodeConfig"], "spot": True}}, [("nodeConfig.spot", "add", True)]),
    (
        NODES,
        {"nodeConfig": {**POOL["nodeConfig"], "labels": {}}},
        [("nodeConfig.labels.pool", "delete", False)],
    ),
    (NODES, {"initialNodeCount": 2}, [("initialNodeCount", "update", True)]),
    (NODES, {"placementPolicy": {"type": "COMPACT"}}, [("placementPolicy", "add", True)]),
    (NODES, {"management": {"autoRepair": True}}, [("management.autoUpgrade", "delete", False)]),
    (NODES, {"cluster": UNKNOWN}, [("cluster", "update", True)]),
    (MIG, {"versions": [{"instanceTemplate": UNKNOWN}]}, [("versions[0].instanceTemplate", "update", False)]),
    (MIG, {"targetSize": 2}, [("targetSize", "update", False)]),
    (MIG, {"zone": "us-east5-a"}, [("zone", "update", True)]),
    (TEMPLATE, {"metadata": {"enable-oslogin": "FALSE"}}, [("metadata.enable-oslogin", "update", True)]),
    (TEMPLATE, {"labels": {"phase": "base"}}, [("labels.phase", "update", True)]),
    (BUCKET, {"location": "US"}, [("location", "update", True)]),
    (SECRET, {"replication": None}, [("replication", "delete", True)]),
    ("gcp:compute/firewall:Firewall", {"sourceRanges": ["130.211.0.0/22", "35.191.0.0/16"]}, []),
]


@pytest.mark.parametrize(("token", "changes", "expected"), DIFFS)
def test_diff(token: str, changes: dict[str, Any], expected: list[tuple[str, str, bool]]) -> None:
    of = kind.find(token)
    assert of
    old, new = EXAMPLES[token], {**EXAMPLES[token], **changes}
    found = [(path, change, diff.replaces(of, path, old, new)) for path, change in diff.changes(of, old, new)]
    assert found == expected


def test_refresh_brings_home_only_what_the_program_set() -> None:
    of = kind.find(BUCKET)
    assert of
    old = {"name": "b", "labels": {"a": "1"}, "versioning": {"enabled": True}}
    now = {"name": "b", "labels": {"a": "2", "c": "3"}, "versioning": {"enabled": False}, "rpo": "DEFAULT"}
    assert diff.live(of, old, now) == {
        "name": "b",
        "labels": {"a": "2"},
        "versioning": {"enabled": False},
    }


def test_labels_of_the_provider() -> None:
    of = kind.find(BUCKET)
    assert of
    config = {**CONFIG, "defaultLabels": {"team": "serving"}}
    assert values.labels(of, {"labels": {"phase": "peak"}}, config) == {
        "effectiveLabels": {"goog-pulumi-provisioned": "true", "team": "serving", "phase": "peak"},
        "pulumiLabels": {"team": "serving", "phase": "peak"},
    }


def test_ids() -> None:
    ids = {token: values.identity(of, EXAMPLES[token], CONFIG) for token, of in kind.every().items()}
    assert None not in ids.values()
    assert ids[NODES] == f"projects/{PROJECT}/locations/us-east5/clusters/serving/nodePools/tpu-v6e-4"
    assert ids[MIG] == f"projects/{PROJECT}/zones/us-east5-b/instanceGroupManagers/{GROUP['name']}"
