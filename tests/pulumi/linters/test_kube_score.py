"""The Kubernetes resources of every reviewed plan under a public linter, with all of its checks."""

import json
import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.inventory.golden import STACKS, golden
from tools import toolchain

RELEASED = "v1.34"
"""Kubernetes version whose deprecated APIs are reported."""

CPU = (
    "A CPU limit throttles a container while the node has idle processors: the boot compiles on all of them, "
    "and each token waits for the host. The requests share out the processors when they are scarce."
)
PULL = (
    "Images are named by their digest, so a node's copy is the same image. Pulling again makes a restart "
    "depend on the registry."
)
BURST = (
    "The request is what the agent holds all its life. The limit leaves room for a compile cache's archive, "
    "which it unpacks before the server starts and packs after the acceptance."
)
EXCEPTIONS: dict[tuple[str, str], str] = {
    **{
        (check, container): CPU
        for check in (
            "container-resources",
            "container-cpu-requests-equal-limits",
            "container-resource-requests-equal-limits",
        )
        for container in ("restore-cache", "sidecar", "stage", "vllm")
    },
    **{
        ("container-memory-requests-equal-limits", container): BURST
        for container in ("restore-cache", "sidecar")
    },
    **{
        ("container-image-pull-policy", container): PULL
        for container in ("restore-cache", "sidecar", "stage", "vllm")
    },
    ("deployment-replicas", ""): "One server is one slice. A stack file sets the number, and the output cost "
    "has its price.",
    ("deployment-has-host-podantiaffinity", ""): "A server requests all chips of its node, so no node has "
    "two servers.",
}
"""Findings by check and container, and why the plans keep them."""
AS_ROOT = {
    ("container-security-context-user-group-id", container): "target.run_as is root."
    for container in ("restore-cache", "sidecar", "vllm")
}
"""Further ones of a plan with `target.run_as: root`."""

Objects = list[dict[str, Any]]


def objects(resources: dict[str, dict[str, Any]]) -> Objects:
    """Returns the Kubernetes objects among a plan's resources, as manifests."""
    found: Objects = []
    for key, resource in resources.items():
        if key.startswith("kubernetes:"):
            version, kind = key.partition("::")[0].removeprefix("kubernetes:").rsplit(":", 1)
            found.append({"apiVersion": version.removeprefix("core/"), "kind": kind, **resource["inputs"]})
    # A reviewed plan names its hashes: <release> is no value of a label.
    return json.loads(re.sub(r"<([a-z-]+)>", r"\1", json.dumps(found)))


def lint(manifests: Objects) -> set[tuple[str, str]]:
    """Returns check and container of each finding of kube-score."""
    toolchain.ensure("kube-score")
    words = ["score", "--all-default-optional", "--kubernetes-version", RELEASED, "-o", "json", "-"]
    done = subprocess.run(
        [toolchain.path("kube-score"), *words],
        input=yaml.safe_dump_all(manifests),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout, done.stderr
    return {
        (each["check"]["id"], comment["path"])
        for scored in json.loads(done.stdout)
        for each in scored["checks"]
        if not each["skipped"] and each["grade"] < 10
        for comment in each["comments"]
    }


PLANS = [stack for stack in STACKS if objects(golden(stack)["resources"])]


def test_the_plans_break_no_rule_but_those_with_a_reason() -> None:
    found = {(stack, *each) for stack in PLANS for each in lint(objects(golden(stack)["resources"]))}
    assert {each for each in found if each[1:] not in EXCEPTIONS} == set()
    assert {each[1:] for each in found} == set(EXCEPTIONS), "an exception is no longer needed"


def test_a_server_as_root_breaks_only_the_rule_on_users() -> None:
    """The pod of such a plan, which tests/inventory/test_run_as.py describes."""
    manifests = objects(golden("staging")["resources"])
    template(manifests)["spec"]["securityContext"].update(runAsUser=0, runAsGroup=0, runAsNonRoot=False)
    assert lint(manifests) - set(EXCEPTIONS) == set(AS_ROOT)


@pytest.mark.parametrize("stack", PLANS)
def test_a_server_has_all_chips_of_its_node(stack: str) -> None:
    """The reason for no anti-affinity: chips of the pod's selector, and chips that it requests."""
    (server,) = [each for each in objects(golden(stack)["resources"]) if each["kind"] == "Deployment"]
    pod = server["spec"]["template"]["spec"]
    topology = (pod.get("nodeSelector") or {}).get("cloud.google.com/gke-tpu-topology", "2x2")
    rows, columns = map(int, topology.split("x"))
    (engine,) = [each for each in pod["containers"] if each["name"] == "vllm"]
    chips = [value for name, value in engine["resources"]["limits"].items() if name.endswith("/tpu")]
    assert chips == [str(rows * columns)]


def template(manifests: Objects) -> dict[str, Any]:
    """Returns the pod template of the server."""
    return next(each for each in manifests if each["kind"] == "Deployment")["spec"]["template"]


def container(manifests: Objects) -> dict[str, Any]:
    """Returns the server's first container."""
    return template(manifests)["spec"]["containers"][0]


def _writable(manifests: Objects) -> None:
    container(manifests)["securityContext"]["readOnlyRootFilesystem"] = False


def _no_disk_limit(manifests: Objects) -> None:
    del container(manifests)["resources"]["limits"]["ephemeral-storage"]


def _low_user(manifests: Objects) -> None:
    template(manifests)["spec"]["securityContext"]["runAsUser"] = 1000


def _same_probes(manifests: Objects) -> None:
    container(manifests)["livenessProbe"] = container(manifests)["readinessProbe"]


def _no_network_policy(manifests: Objects) -> None:
    template(manifests)["metadata"]["labels"]["app.kubernetes.io/name"] = "other"


def _no_budget(manifests: Objects) -> None:
    manifests[:] = [each for each in manifests if each["kind"] != "PodDisruptionBudget"]


def _latest(manifests: Objects) -> None:
    container(manifests)["image"] = "vllm/vllm-tpu:latest"


WRONG: tuple[tuple[Callable[[Objects], None], str], ...] = (
    (_writable, "container-security-context-readonlyrootfilesystem"),
    (_no_disk_limit, "container-ephemeral-storage-request-and-limit"),
    (_low_user, "container-security-context-user-group-id"),
    (_same_probes, "pod-probes-identical"),
    (_no_network_policy, "pod-networkpolicy"),
    (_no_budget, "deployment-has-poddisruptionbudget"),
    (_latest, "container-image-tag"),
)


@pytest.mark.parametrize(("change", "check"), WRONG, ids=[check for _, check in WRONG])
def test_a_mistake_would_be_found(change: Callable[[Objects], None], check: str) -> None:
    manifests = objects(golden("prod")["resources"])
    change(manifests)
    assert check in {name for name, _ in lint(manifests) - set(EXCEPTIONS)}
