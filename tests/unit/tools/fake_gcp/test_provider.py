"""The fake cloud's answers compared with what the real provider declares, for every input of every type."""

from collections.abc import Mapping
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from tests.unit.tools.fake_gcp.inputs import TABLE, TOKENS, around, fields, listed, plain
from tools.fake_gcp import wire
from tools.fake_gcp.checks import check, diff
from tools.fake_gcp.plugin import Provider
from tools.fake_gcp.schema import conditions, kind, sdk
from tools.fake_gcp.schema.example_parts import CONFIG

Steps = list[tuple[str, str, bool]]
"""Changed path, what happens to it, and whether that replaces the resource."""


def answer_to(
    token: str, old: Mapping[str, Any], new: Mapping[str, Any], ignored: tuple[str, ...] = ()
) -> tuple[Steps, bool]:
    """Ask the plugin for the steps of a change, and whether the old thing goes first."""
    urn = f"urn:pulumi:stack::project::{token}::name"
    answer = Provider("").Diff(
        provider_pb2.DiffRequest(
            urn=urn, old_inputs=wire.struct(dict(old)), news=wire.struct(dict(new)), ignoreChanges=ignored
        ),
        None,  # pyright: ignore[reportArgumentType] - the context is for failures
    )
    steps: Steps = []
    for path, found in answer.detailedDiff.items():
        word = provider_pb2.PropertyDiff.Kind.Name(found.kind)
        steps.append((path, word.partition("_")[0].lower(), word.endswith("_REPLACE")))
    assert bool(answer.replaces) == any(replaces for _, _, replaces in steps)
    return sorted(steps), answer.deleteBeforeReplace


@pytest.mark.parametrize("token", TOKENS)
def test_another_value_of_each_input_does_what_the_provider_declares(token: str) -> None:
    of = kind.every()[token]
    replaces, skipped = listed(token, "replaces"), listed(token, "newer") | listed(token, "outputs")
    if TABLE["types"][token].get("labelsReplace"):
        replaces.add("labels")
    tried = 0
    for path, way in fields(of):
        group = sdk.innermost(way[-1]).type == "object"
        if group or path in skipped or (token, path) in conditions.CONDITIONS:
            continue
        old, new = (around(path, way, plain(of, way[-1], which)) for which in (0, 1))
        steps, _ = answer_to(token, old, new)
        [(shown, change, replacing)] = steps
        bare = shown.replace("[0]", "").removesuffix(".key" if way[-1].type == "map" else "")
        assert (bare, change, replacing) == (path, "update", path in replaces), path
        tried += 1
    assert tried


@pytest.mark.parametrize("token", TOKENS)
def test_each_input_that_is_left_out_does_what_the_provider_declares(token: str) -> None:
    """Google's value stays where the provider fills it in, and a value that is the default is no change."""
    of, entry = kind.every()[token], TABLE["types"][token]
    filled, sets, skipped = listed(token, "filled"), listed(token, "sets"), listed(token, "newer")
    for path, way in fields(of):
        if path in skipped | listed(token, "outputs"):
            continue
        default = entry.get("defaults", {}).get(path)
        for value in (plain(of, way[-1], 0), default):
            if value in (None, [{}], {}):
                continue
            steps, _ = answer_to(token, around(path, way, value), around(path, way, None))
            in_set = any(path.startswith(f"{each}.") for each in sets)
            stays = (path in filled and not in_set) or value == default
            assert [change for _, change, _ in steps] == ([] if stays else ["delete"]), path


@pytest.mark.parametrize("token", TOKENS)
def test_a_replacement_deletes_first_where_the_provider_does(token: str) -> None:
    entry = TABLE["types"][token]
    named = {name: "mine" for name in entry.get("named", "").split()}
    texts = {path for path, way in fields(kind.every()[token]) if len(way) == 1 and way[0].type == "string"}
    [input_, *_] = sorted((texts & listed(token, "replaces")) - set(named))
    _, first = answer_to(token, {**named, input_: "one"}, {**named, input_: "two"})
    assert first == (entry.get("deleteFirst", False) or bool(named))
    by_provider = {**named, check.AUTONAMED: list(named)}
    _, first = answer_to(token, {**by_provider, input_: "one"}, {**by_provider, input_: "two"})
    assert first == entry.get("deleteFirst", False)


DISK = "gcp:compute/disk:Disk"
SUBNET = "gcp:compute/subnetwork:Subnetwork"
RULE = "gcp:compute/forwardingRule:ForwardingRule"
CLUSTER = "gcp:container/cluster:Cluster"
BUCKET = "gcp:storage/bucket:Bucket"
TEMPLATE = "gcp:compute/instanceTemplate:InstanceTemplate"
SECRET = "gcp:secretmanager/secret:Secret"
OBJECT = "gcp:storage/bucketObject:BucketObject"
IMAGES = "gcp:artifactregistry/repository:Repository"
ACCOUNT = "gcp:serviceaccount/account:Account"
ROLE = "gcp:projects/iAMCustomRole:IAMCustomRole"
GRANT = "gcp:projects/iAMMember:IAMMember"
INTERNAL = {"name": "a", "loadBalancingScheme": "INTERNAL", "allowGlobalAccess": False}
PROXIED = {**INTERNAL, "loadBalancingScheme": "INTERNAL_MANAGED"}
LOCKED = {"isLocked": True, "retentionPeriod": "60"}

SEEN: tuple[tuple[str, dict[str, Any], dict[str, Any], str], ...] = (
    # Where google-beta 8.0.0 was found to differ from the discovery documents on 2026-11-28, and opposites.
    (SECRET, {"secretId": "a"}, {"secretId": "b"}, "delete first"),
    (SECRET, {"secretId": "a", "replication": {"auto": {}}}, {"secretId": "a"}, "delete first"),
    (GRANT, {"member": "user:a@b.c"}, {"member": "user:d@b.c"}, "delete first"),
    (ACCOUNT, {"accountId": "server"}, {"accountId": "servers"}, "delete first"),
    (ROLE, {"roleId": "reader"}, {"roleId": "readers"}, "delete first"),
    (IMAGES, {"repositoryId": "a"}, {"repositoryId": "a", "kmsKeyName": "k"}, "new first"),
    (SUBNET, {"ipCidrRange": "10.0.0.0/20"}, {"ipCidrRange": "10.0.0.0/21"}, "new first"),
    (SUBNET, {"ipCidrRange": "10.0.0.0/20"}, {"ipCidrRange": "10.0.0.0/19"}, "update"),
    (DISK, {"name": "a", "size": 200}, {"name": "a", "size": 100}, "delete first"),
    (DISK, {"name": "a", "size": 100}, {"name": "a", "size": 200}, "update"),
    (TEMPLATE, {"labels": {"a": "b"}}, {"labels": {"a": "c"}}, "new first"),
    (TEMPLATE, {"name": "a", "machineType": "c"}, {"name": "b", "machineType": "d"}, "new first"),
    (RULE, INTERNAL, {**INTERNAL, "allowGlobalAccess": True}, "update"),
    (RULE, PROXIED, {**PROXIED, "allowGlobalAccess": True}, "delete first"),
    (CLUSTER, {"enableL4IlbSubsetting": True}, {"enableL4IlbSubsetting": False}, "new first"),
    (CLUSTER, {"enableL4IlbSubsetting": False}, {"enableL4IlbSubsetting": True}, "update"),
    (CLUSTER, {"enableFqdnNetworkPolicy": True}, {"enableFqdnNetworkPolicy": False}, "new first"),
    (BUCKET, {"retentionPolicy": LOCKED}, {"retentionPolicy": {**LOCKED, "isLocked": False}}, "new first"),
    (OBJECT, {"content": "a"}, {"content": "b"}, "update"),
    (CLUSTER, {"clusterIpv4Cidr": "10.0.0.0/14"}, {}, "nothing"),
    (CLUSTER, {"releaseChannel": {"channel": "RAPID"}}, {}, "nothing"),
)


@pytest.mark.parametrize(("token", "old", "new", "expected"), SEEN)
def test_what_was_seen_at_the_real_provider(
    token: str, old: dict[str, Any], new: dict[str, Any], expected: str
) -> None:
    steps, first = answer_to(token, old, new)
    if any(replaces for _, _, replaces in steps):
        assert expected == ("delete first" if first else "new first")
    else:
        assert expected == ("update" if steps else "nothing")


def test_other_default_labels_replace_a_template_and_update_a_disk() -> None:
    for token, replacing in ((TEMPLATE, True), (DISK, False)):
        asking = Provider("")
        asking.config = {**CONFIG, "defaultLabels": {"team": "serving"}}
        answer = asking.Diff(
            provider_pb2.DiffRequest(
                urn=f"urn:pulumi:stack::project::{token}::name",
                olds=wire.struct({"effectiveLabels": {"team": "training"}}),
                old_inputs=wire.struct({"name": "a"}),
                news=wire.struct({"name": "a"}),
            ),
            None,  # pyright: ignore[reportArgumentType] - the context is for failures
        )
        assert list(answer.diffs) == ["effectiveLabels"] and bool(answer.replaces) == replacing


def test_an_update_keeps_what_the_program_no_longer_states() -> None:
    of = kind.every()["gcp:container/nodePool:NodePool"]
    old = {"upgradeSettings": {"strategy": "SURGE"}, "nodeCount": 2, "ignoreNodeCountChanges": True}
    kept = {"upgradeSettings": {"strategy": "SURGE"}, "nodeCount": 2}
    assert diff.with_filled(of, old, {"version": "1.34"}) == {"version": "1.34", **kept}
