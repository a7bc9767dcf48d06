"""`make why` names the cause of faults that are made on the local cluster, beside one server that serves.

The Deployment is changed behind Pulumi's back, with a spare slice: the server that serves stays, and only the
new pod meets the fault. tests/cluster/test_rollout.py asks after a release without its image and after one
that was rejected.
"""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from local import cluster, image
from local.cluster import constants
from local.commands.kubectl import kubectl
from operate import __main__ as operate
from serving.deploy import container_layout
from tests.cluster.cluster_fixtures import kill
from tests.cluster.commands import Server
from tests.cluster.rollouts import NAMESPACE, pods, wait_for

pytestmark = pytest.mark.usefixtures("checkout")
"""Each new pod is a boot, and the small engine's is shorter."""
FAULT_SECONDS = 180
"""Most time until the cluster shows a fault: an eviction takes the longest."""
HERE = ("-n", NAMESPACE)

Template = dict[str, Any]


def why(capsys: pytest.CaptureFixture[str]) -> str:
    """Returns the last line of `make why`, the sentence with the cause."""
    operate.main(["why", "--stack", "local"])
    return capsys.readouterr().out.strip().splitlines()[-1]


def await_sentence(capsys: pytest.CaptureFixture[str], *parts: str) -> str:
    """Wait until `make why` ends with a sentence that has all the parts, and return it."""
    said: list[str] = []

    def names_it() -> bool:
        said.append(why(capsys))
        return all(part in said[-1] for part in parts)

    deadline = time.monotonic() + FAULT_SECONDS
    while not names_it():
        assert time.monotonic() < deadline, "\n".join(dict.fromkeys(said))
        time.sleep(0.5)
    return said[-1]


@pytest.fixture(scope="module")
def deployment(server: Server) -> Iterator[dict[str, Any]]:
    """Yields the Deployment with a spare slice for a new pod; at the end it is as Pulumi made it."""
    found = json.loads(kubectl("get", "deployment", container_layout.SERVER, *HERE, "-o", "json"))
    delivered = bare(found)
    spare = json.loads(json.dumps(delivered))
    spare["spec"]["strategy"] = {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    }
    replace(spare)
    yield spare
    replace(delivered)


@pytest.fixture
def change(deployment: dict[str, Any]) -> Iterator[Callable[[Callable[[Template], None]], None]]:
    """Yields a function that changes the pods' template. The end of the test waits until the new pod is
    gone."""
    before = {pod["metadata"]["name"] for pod in pods()}

    def apply(edit: Callable[[Template], None]) -> None:
        changed = json.loads(json.dumps(deployment))
        template = changed["spec"]["template"]
        # No request of the new pod needs an end, and Python ignores SIGTERM while it imports.
        template["spec"]["terminationGracePeriodSeconds"] = 2
        del server_of(template)["lifecycle"]
        edit(template)
        replace(changed)

    yield apply
    replace(deployment)
    wait_for(lambda: {pod["metadata"]["name"] for pod in all_pods()} == before, "the new pod's end")


def bare(found: dict[str, Any]) -> dict[str, Any]:
    """Returns an object without what the API server adds."""
    names = ("name", "namespace", "labels", "annotations")
    metadata = {name: found["metadata"][name] for name in names if name in found["metadata"]}
    return {**{name: found[name] for name in ("apiVersion", "kind", "spec")}, "metadata": metadata}


def replace(item: dict[str, Any]) -> None:
    """Replace an object of the server's namespace."""
    kubectl("replace", *HERE, "-f", "-", given=json.dumps(item))


def all_pods() -> list[dict[str, Any]]:
    """Returns the pods of the namespace; those that failed are deleted first."""
    kubectl("delete", "pods", *HERE, "--field-selector", "status.phase=Failed", "--wait=false")
    return json.loads(kubectl("get", "pods", *HERE, "-o", "json"))["items"]


def server_of(template: Template) -> dict[str, Any]:
    """Returns the server's container."""
    [found] = [each for each in template["spec"]["containers"] if each["name"] == container_layout.SERVER]
    return found


def volume(template: Template, name: str) -> dict[str, Any]:
    """Returns a volume of the pod."""
    [found] = [each for each in template["spec"]["volumes"] if each["name"] == name]
    return found


def other_topology(template: Template) -> None:
    template["spec"]["nodeSelector"]["cloud.google.com/gke-tpu-topology"] = "2x4"


def unknown_node(template: Template) -> None:
    template["spec"]["nodeSelector"]["tpuserve.local/pool"] = "nothing"


def host_network(template: Template) -> None:
    template["spec"]["hostNetwork"] = True


def little_memory(template: Template) -> None:
    server_of(template)["resources"]["requests"]["memory"] = "64Mi"
    server_of(template)["resources"]["limits"]["memory"] = "64Mi"


def impatient_probe(template: Template) -> None:
    server_of(template)["startupProbe"].update(
        {"initialDelaySeconds": 1, "periodSeconds": 1, "failureThreshold": 1}
    )


def no_such_model(template: Template) -> None:
    found = server_of(template)
    folder, other = (f"{container_layout.MODELS}/{name}" for name in ("tiny-gemma4-moe", "nothing"))
    words = json.dumps([found["command"], found.get("args", [])])
    assert folder in words
    found["command"], found["args"] = json.loads(words.replace(folder, other))


def required_key(template: Template) -> None:
    volume(template, container_layout.API_KEY)["secret"].update(
        {"optional": False, "secretName": "no-such-key"}
    )


def tiny_cache_disk(template: Template) -> None:
    volume(template, "compile-cache")["emptyDir"]["sizeLimit"] = "4Ki"
    # The kubelet looks once a minute. A server that is ready before would take the old one's place.
    server_of(template)["readinessProbe"]["httpGet"]["path"] = "/nothing"


FAULTS: dict[str, tuple[Callable[[Template], None], tuple[str, ...]]] = {
    "wrong topology": (
        other_topology,
        ("asks for cloud.google.com/gke-tpu-topology=2x4", "have 2x2", "set `accelerator`"),
    ),
    "no node": (unknown_node, ("no node has ", "tpuserve.local/pool=nothing", "run `make up`")),
    "Pod Security": (host_network, ("Pod Security refuses the pod", "restricted", "pulumi up -s local")),
    "out of memory": (little_memory, ("used more memory than its limit of 64Mi", "OOMKilled")),
    "probe timeout": (impatient_probe, ("failed its startup probe and was restarted", "cold_start")),
    "key missing": (required_key, ("waits for the secret of its volume", "run `make key`")),
    "cache disk full": (tiny_cache_disk, ("was evicted, because its compile cache is full",)),
    "weights missing": (no_such_model, ("the weights are missing in the models' volume", "run `make up`")),
}
"""Change of the pods' template, and parts of the sentence."""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_new_pod_is_named(
    change: Callable[[Callable[[Template], None]], None], capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    edit, parts = FAULTS[fault]
    change(edit)
    sentence = await_sentence(capsys, *parts)
    assert sentence.startswith("1 of 1 servers of local serve:")


def test_a_cordoned_node_is_named(
    change: Callable[[Callable[[Template], None]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def restart(template: Template) -> None:
        template["metadata"].setdefault("annotations", {})["restarted"] = "yes"

    kubectl("cordon", constants.NODE)
    try:
        change(restart)
        await_sentence(capsys, "have the taint node.kubernetes.io/unschedulable", "uncordon")
    finally:
        kubectl("uncordon", constants.NODE)


def test_a_quota_that_the_autoscaler_reports_is_named(
    change: Callable[[Callable[[Template], None]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """GKE's autoscaler writes this event; there is none here, so the test writes it."""
    change(unknown_node)
    wait_for(lambda: any("nodeName" not in pod["spec"] for pod in pods()), "a pod without a node")
    [waiting] = [pod for pod in pods() if "nodeName" not in pod["spec"]]
    said = "Node scale up in zones us-east5-b associated with this pod failed: GCE quota exceeded."
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{waiting['metadata']['name']}.quota", "namespace": NAMESPACE},
        "involvedObject": {
            "kind": "Pod",
            **{name: waiting["metadata"][name] for name in ("name", "namespace", "uid")},
        },
        "type": "Warning",
        "reason": "FailedScaleUp",
        "message": said,
        "lastTimestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    kubectl("create", "-f", "-", given=json.dumps(event))
    await_sentence(capsys, "the project's TPU quota is used up", "request more")


def test_a_policy_that_lets_nobody_call_is_named(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    listed = json.loads(kubectl("get", "networkpolicies", *HERE, "-o", "json"))["items"]
    policies = [bare(each) for each in listed]
    try:
        for policy in policies:
            replace({**policy, "spec": {**policy["spec"], "ingress": []}})
        await_sentence(capsys, "clients cannot reach the server", "lets nobody call port 8000")
    finally:
        for policy in policies:
            replace(policy)


def test_refusals_of_the_guard_are_named(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    body = {"model": "tiny-gemma4-moe", "prompt": "a", "max_tokens": 1, "prompt_logprobs": 1}
    with server.client() as client:
        assert client.post("/v1/completions", json=body).status_code == 400
    without = httpx.post(f"{server.url}/v1/completions", json=body, trust_env=False, timeout=60)
    assert without.status_code == 401
    await_sentence(capsys, "the guard refused", "request ", "api_key ")


def test_a_name_server_without_a_ready_pod_is_named(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    system = ("-n", "kube-system")
    deployed = json.loads(kubectl("get", "deployment", "coredns", *system, "-o", "json"))
    broken = bare(json.loads(json.dumps(deployed)))
    broken["spec"]["template"]["spec"]["containers"][0]["image"] = "tpuserve.local/nothing:1"
    broken["spec"]["strategy"] = {"type": "Recreate"}
    kubectl("replace", *system, "-f", "-", given=json.dumps(broken))
    try:
        await_sentence(capsys, "the local cluster lacks DNS", "run `make up`")
    finally:
        kubectl("replace", *system, "-f", "-", given=json.dumps(bare(deployed)))
        kubectl("rollout", "status", "deployment", "coredns", *system, "--timeout=120s")


def test_a_node_whose_kubelet_is_gone_is_named(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    kill("kubelet")
    try:
        await_sentence(capsys, "the local cluster lacks kubelet", "run `make up`")
    finally:
        cluster.start(environment=image.environment())
