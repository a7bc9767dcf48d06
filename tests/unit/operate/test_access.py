"""Which cluster a stack has, how kubectl gets there, and what is said when it does not."""

from pathlib import Path
from typing import Any

import pytest

from config.targets import GkeTarget, LocalTarget
from operate.access import Access, access
from tests.unit.operate.conftest import Program
from tools import toolchain
from tools.support import paths
from tools.support.progress import Refusal

GKE = GkeTarget.model_validate(
    {"kind": "gke", "project": "my-project", "zone": "us-east5-b", "capacity": {"kind": "spot"}}
)
KUBECONFIG = '{"kind": "Config"}'


@pytest.fixture
def kubectl(program: Program, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns a kubectl that cannot reach its cluster."""
    program("gke-gcloud-auth-plugin", "exit 1")
    found = program("kubectl", "echo 'Unable to connect' >&2; echo 'error: no route' >&2; exit 1")
    monkeypatch.setattr(toolchain, "path", lambda name: found)
    return found


def test_a_stack_on_gke_is_reached_with_the_kubeconfig_of_its_outputs(
    kubectl: Path, stack_outputs: dict[str, dict[str, Any]]
) -> None:
    stack_outputs["staging"] = {"kubeconfig": KUBECONFIG}
    found = access("staging", GKE)
    file = paths.kubeconfigs() / "staging.json"
    assert found.kubectl_words == (str(kubectl), "--kubeconfig", str(file))
    assert found.namespace == "tpuserve-staging"
    assert file.read_text("utf-8") == KUBECONFIG and file.stat().st_mode & 0o777 == 0o600


def test_the_local_stack_and_a_cluster_of_your_own_have_a_context(kubectl: Path) -> None:
    own = LocalTarget(kind="local", kubeconfig="/k/config", context="mine")
    assert access("local", own).kubectl_words[1:] == ("--kubeconfig", "/k/config", "--context", "mine")
    assert access("local", LocalTarget(kind="local")).kubectl_words[-1] == "tpuserve-local"


REFUSED = [
    (
        LocalTarget(kind="local"),
        "kubectl get failed for x (error: no route): `make status` shows the cluster, and `make "
        "up` starts it.",
    ),
    (
        LocalTarget(kind="local", kubeconfig="/k/config", context="mine"),
        "kubectl get failed for x (error: no route): check context mine in /k/config.",
    ),
    (
        GKE,
        "kubectl get failed for x (error: no route): run `gcloud auth login` as somebody who may use the "
        "cluster (roles/container.developer; docs/operations.md, Find a fault).",
    ),
]


@pytest.mark.parametrize(("target", "sentence"), REFUSED)
def test_a_cluster_that_does_not_answer_names_the_login(
    kubectl: Path,
    stack_outputs: dict[str, dict[str, Any]],
    target: LocalTarget | GkeTarget,
    sentence: str,
) -> None:
    stack_outputs["x"] = {"kubeconfig": KUBECONFIG}
    with pytest.raises(Refusal) as refusal:
        access("x", target).kubectl("get", "pods")
    assert str(refusal.value) == sentence


def test_gke_without_its_login_program_is_refused(program: Program) -> None:
    with pytest.raises(Refusal) as refusal:
        access("staging", GKE)
    assert str(refusal.value) == (
        "STACK=staging is on GKE, and kubectl logs in there with gke-gcloud-auth-plugin, which "
        "is not on PATH: "
        "run `gcloud components install gke-gcloud-auth-plugin`."
    )


def test_lines_come_while_the_command_runs(program: Program) -> None:
    file = program("kubectl", 'echo "$@"; echo second')
    found = Access("s", (str(file),), "n", "log in").lines("logs", "-f", "p")
    assert [line.strip() for line in found] == ["--namespace n logs -f p", "second"]
