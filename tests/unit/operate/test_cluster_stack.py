"""Commands for a stack in Kubernetes: what kubectl is called with, and what is printed."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from config.targets import GkeTarget, LocalTarget
from local import cluster
from local.commands import client
from operate import cluster_stack, secret
from operate.access import Access
from operate.cluster_stack import ClusterStack
from tests.unit.operate import fake_kubectl
from tests.unit.operate.diagnosis import recorded
from tools.support import chat, host
from tools.support.errors import Refusal

GKE = GkeTarget.model_validate(
    {"kind": "gke", "project": "my-project", "zone": "us-east5-b", "capacity": {"kind": "spot"}}
)
LOCAL = LocalTarget(kind="local")
OWN = LocalTarget(kind="local", kubeconfig="/k/config", context="mine")


@pytest.fixture(autouse=True)
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns the file with the calls of a kubectl that knows the healthy server."""
    fake_kubectl.write(tmp_path, [recorded.HEALTHY.pods[0]], [recorded.node()])
    words = (sys.executable, fake_kubectl.__file__, str(tmp_path), "--kubeconfig", "k")
    monkeypatch.setattr(
        cluster_stack, "access", lambda stack, _: Access(stack, words, f"tpuserve-{stack}", "log in")
    )
    return tmp_path / "calls"


def stack(
    name: str = "staging", target: GkeTarget | LocalTarget = GKE, *, with_key: bool = True
) -> ClusterStack:
    """Returns the commands of a stack, which is on GKE by default."""
    return ClusterStack(name, target, with_key=with_key)


def called(calls: Path) -> list[str]:
    """Returns the calls without the words that every call begins with."""
    return [line.split(" ", 4)[-1] for line in calls.read_text("utf-8").splitlines()]


def test_status_on_gke_shows_the_tpu_nodes_and_the_pods(calls: Path) -> None:
    stack().status()
    label = "cloud.google.com/gke-tpu-topology"
    assert called(calls) == [f"get nodes -l {label} -L {label}", "get pods,service,pdb -o wide"]


def test_status_of_a_stopped_local_cluster_asks_no_kubectl(
    calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopped:
        healthy = False

        def __str__(self) -> str:
            return "the table"

    monkeypatch.setattr(cluster, "status", Stopped)
    assert stack("local", LOCAL).status() == "the table\n" and not calls.exists()


LOGS = [
    ("vllm", "logs -l app.kubernetes.io/name=vllm -c vllm --tail 200"),
    ("sidecar", "logs -l app.kubernetes.io/name=vllm --prefix -c sidecar --tail 200"),
    ("restore-cache", "logs -l app.kubernetes.io/name=vllm --prefix -c restore-cache --tail 200"),
    ("weights", "logs -l app.kubernetes.io/name=weights --tail 200"),
]


@pytest.mark.parametrize(("component", "words"), LOGS)
def test_logs_of_a_component(calls: Path, component: str, words: str) -> None:
    stack().logs(component)
    assert called(calls) == [words]


def test_logs_of_the_local_clusters_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "logs", lambda component: f"{component}'s log")
    assert stack("local", LOCAL).logs("kubelet") == "kubelet's log"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[chat.Server]:
    """Returns the servers that were asked."""
    servers: list[chat.Server] = []

    def ask(self: chat.Server, prompt: str, max_tokens: int) -> Sequence[str]:
        servers.append(self)
        return [prompt, "!"]

    monkeypatch.setattr(chat.Server, "ask", ask)
    return servers


def test_a_question_to_gke_goes_through_the_tunnel_to_a_ready_pod(
    calls: Path,
    asked: list[chat.Server],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(secret, "read", lambda *_: "canary")
    stack().ask("Hello", 8)
    assert capsys.readouterr().out == "Hello!\n"
    assert (asked[0].stack, asked[0].key) == ("staging", "canary")
    port = asked[0].url.rpartition(":")[2]
    assert called(calls)[-1] == f"port-forward --address 127.0.0.1 pod/{recorded.POD} {port}:8000"
    assert "canary" not in calls.read_text("utf-8")


def test_a_stack_whose_clients_need_no_key_is_asked_without_one(asked: list[chat.Server]) -> None:
    stack(with_key=False).ask("Hello", 8)
    assert asked[0].key is None


def test_a_question_to_the_local_stack_goes_to_its_service(
    calls: Path, asked: list[chat.Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = chat.Server("local", "http://10.201.0.7:8000", "canary")
    monkeypatch.setattr(client, "server", lambda: server)
    stack("local", LOCAL).ask("Hello", 8)
    assert asked == [server] and not calls.exists()


def test_keys_are_set_where_the_stack_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    places: list[str] = []
    monkeypatch.setattr(secret, "add", lambda stack, _: places.append(stack))
    monkeypatch.setattr(client, "set_key", lambda: places.append("local cluster"))
    monkeypatch.setattr(host, "require_kind", lambda: None)
    stack().rotate_key()
    stack("local", LOCAL).rotate_key()
    assert places == ["staging", "local cluster"]


Command = Callable[[], object]
REFUSED: list[tuple[Command, str]] = [
    (
        lambda: stack().logs("kubelet"),
        "A stack in Kubernetes has no component 'kubelet': choose one of vllm, sidecar, "
        "restore-cache, weights.",
    ),
    (
        lambda: stack("local", OWN).rotate_key(),
        "STACK=local is in a cluster of your own: put the key into its Secret api-key with kubectl (README, "
        "Another cluster).",
    ),
]


@pytest.mark.parametrize(("command", "sentence"), REFUSED)
def test_a_command_that_cannot_run(command: Command, sentence: str) -> None:
    with pytest.raises(Refusal) as refusal:
        command()
    assert str(refusal.value) == sentence


def test_a_question_to_nobody_is_refused(tmp_path: Path) -> None:
    fake_kubectl.write(tmp_path, [recorded.pod(recorded.running("vllm", ready=False))], [])
    with pytest.raises(Refusal) as refusal:
        stack().ask("Hello", 8)
    assert str(refusal.value) == "No server of staging is ready: run `make why STACK=staging`."


ROLLOUTS = [
    # replicas, updatedReplicas, availableReplicas, observedGeneration
    ("complete", (2, 2, 2, 7), True),
    ("not seen", (2, 2, 2, 6), False),
    ("one replaced", (2, 1, 2, 7), False),
    ("an old one left", (3, 2, 2, 7), False),
    ("one not ready", (2, 2, 1, 7), False),
    ("none of them", (None, None, None, 7), False),
]


@pytest.mark.parametrize(("counts", "complete"), [row[1:] for row in ROLLOUTS], ids=[r[0] for r in ROLLOUTS])
def test_a_rollout_is_complete_when_every_server_is_new_and_available(
    monkeypatch: pytest.MonkeyPatch, counts: tuple[int | None, ...], complete: bool
) -> None:
    names = ("replicas", "updatedReplicas", "availableReplicas", "observedGeneration")
    status = {name: count for name, count in zip(names, counts, strict=True) if count is not None}
    deployment = {"metadata": {"generation": 7}, "spec": {"replicas": 2}, "status": status}
    monkeypatch.setattr(Access, "kubectl", lambda *_: json.dumps(deployment))
    assert stack().is_rolled_out() is complete
