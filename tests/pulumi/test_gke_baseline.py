"""Baseline under the real CLI: a ComputeClass instead of a pool; GKE's types are strict."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.inventory.golden import golden
from tests.pulumi.conftest import Cloud
from tests.pulumi.deployment import Deployment
from tools.fake_gcp.cloud import autoscaler
from tools.fake_gcp.kubernetes.control_plane import ControlPlane
from tools.fake_gcp.kubernetes.nodes import Server
from tools.fake_gcp.kubernetes.types import TYPES

STACK = "baseline"
SPACE = "tpuserve-baseline"


@pytest.fixture(scope="module")
def baseline(cloud: Cloud) -> Iterator[Deployment]:
    """Yields the stack, up, under the policies."""
    with cloud.stack(STACK, {}) as deployment:
        deployment.good("up", "--yes", *cloud.pack)
        yield deployment
    autoscaler.take_back(cloud.plane, SPACE)


def test_the_class_made_a_node_and_nothing_changes(baseline: Deployment, cloud: Cloud) -> None:
    [pod] = cloud.items("pods", "-n", SPACE, "-l", "app.kubernetes.io/name=vllm")
    assert pod["status"]["phase"] == "Running" and "nap-tpuserve-baseline" in pod["spec"]["nodeName"]
    assert not [name for name in baseline.console.objects() if "/nodePools/v6e" in name]
    baseline.good("up", "--yes", "--skip-preview", "--expect-no-changes")
    baseline.good("refresh", "--yes", "--skip-preview", "--expect-no-changes")


def test_another_first_rung_is_an_update_of_the_class(baseline: Deployment) -> None:
    rungs = [{"kind": "reservation", "name": "v6e"}, {"kind": "spot"}]
    baseline.change({"target.capacity": {"kind": "compute-class", "rungs": rungs}})
    baseline.up()
    baseline.good("preview", "--expect-no-changes")


def test_taken_down_nothing_of_it_is_left(baseline: Deployment, cloud: Cloud) -> None:
    baseline.good("destroy", "--yes")
    assert not [name for name in baseline.console.objects() if "/clusters/" in name]
    assert cloud.items("computeclasses.cloud.google.com") == []
    assert SPACE not in [item["metadata"]["name"] for item in cloud.items("namespaces")]


PLANS = {name: golden(name) for name in ("prod", "baseline")}


def planned(kind: str) -> dict[str, Any]:
    """Returns an object of this kind from a recorded plan, in the namespace default."""
    for plan in PLANS.values():
        for key, entry in plan["resources"].items():
            token = key.split("::")[0]
            if token.startswith("kubernetes:") and token.endswith(f":{kind}"):
                found = copy.deepcopy(entry["inputs"])
                found["metadata"].pop("namespace", None)
                return {"apiVersion": token.split(":")[1], "kind": kind, **found}
    raise AssertionError(f"no plan has a {kind}")


def misspell(spec: dict[str, Any]) -> None:
    spec["timeoutSecs"] = 3


def mistype(spec: dict[str, Any]) -> None:
    spec[sorted(spec)[0]] = True


MISTAKES: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "another name": (misspell, 'unknown field "spec.timeoutSecs"'),
    "another type": (mistype, "Invalid value"),
    "nothing": (dict.clear, "Required value"),
}


@pytest.mark.parametrize("kind", [row[2] for row in TYPES])
def test_gkes_types_are_strict(plane: ControlPlane, kind: str) -> None:
    api, version, _, plural, spaced, _ = next(row for row in TYPES if row[2] == kind)
    place = "namespaces/default/" if spaced else ""
    way = f"/apis/{api}/{version}/{place}{plural}?dryRun=All&fieldValidation=Strict"
    with Server.of(str(plane.kubeconfig)).client() as client:
        good = client.post(way, json=planned(kind))
        assert good.status_code == 201, good.text
        for name, (change, sentence) in MISTAKES.items():
            wrong = planned(kind)
            change(wrong["spec"])
            answer = client.post(way, json=wrong)
            assert answer.status_code in (400, 422) and sentence in json.loads(answer.text)["message"], (
                name,
                answer.text,
            )


@pytest.mark.parametrize("label", ["cluster", "1st"])
def test_the_collectors_own_rules_hold(plane: ControlPlane, label: str) -> None:
    wrong = planned("PodMonitoring")
    wrong["spec"]["targetLabels"]["fromPod"][0]["to"] = label
    wrong["spec"]["endpoints"][0]["interval"] = "often"
    way = "/apis/monitoring.googleapis.com/v1/namespaces/default/podmonitorings?dryRun=All"
    with Server.of(str(plane.kubeconfig)).client() as client:
        said = json.loads(client.post(way, json=wrong).text)["message"]
    assert "spec.targetLabels.fromPod[0].to" in said
    assert "spec.endpoints[0].interval" in said
