"""Commands for TPU VMs: what gcloud is called with, and what is printed."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from config.targets import TpuVmTarget
from operate import machines, secret
from operate.diagnosis.machine_stages import Machine, MachineEvidence
from operate.machine_stack import MachineStack
from tests.unit.operate.conftest import Program, words
from tools.support import chat
from tools.support.errors import Refusal

SERVES = Machine(
    "dev-1", "us-east5-b", "RUNNING", health="HEALTHY", report={"state": "serving", "stages": {}}
)
BOOTS = Machine("dev-2", "us-east5-a", "RUNNING", report={"state": "booting", "stages": {}})
GONE = Machine("dev-3", "us-east5-b", "TERMINATED")


def stack(monkeypatch: pytest.MonkeyPatch, found: Sequence[Machine], **target: Any) -> MachineStack:
    """Returns a stack with these machines."""
    place = {"kind": "tpu-vm", "project": "my-project", "zone": "us-east5-b", "capacity": {"kind": "spot"}}
    settings = Settings.parse({"target": {**place, **target}})
    assert isinstance(settings.target, TpuVmTarget)
    evidence = MachineEvidence("dev", 1, found)
    monkeypatch.setattr(machines, "evidence", lambda *_: evidence)
    return MachineStack("dev", settings.target, machines=1, with_key=True)


@pytest.fixture
def gcloud(program: Program, tmp_path: Path) -> Path:
    """Returns the file with the words of each call of a gcloud that succeeds."""
    file = tmp_path / "calls"
    program("gcloud", f'echo "$@" >> {file}; echo "some_metric 1"')
    return file


def test_status_is_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    table = stack(monkeypatch, [SERVES, GONE]).status().splitlines()
    assert table[0].split() == ["machine", "zone", "state", "action", "health", "boot"]
    assert table[1].split() == ["dev-1", "us-east5-b", "RUNNING", "NONE", "HEALTHY", "serving"]
    assert table[2].split() == ["dev-3", "us-east5-b", "TERMINATED", "NONE", "-", "no", "report"]
    assert table[3] == "2 of 1 machines exist"


LOGIN = "compute ssh {} --project my-project --zone {} --tunnel-through-iap --quiet --command={}"


def test_logs_come_from_each_machine_that_runs(monkeypatch: pytest.MonkeyPatch, gcloud: Path) -> None:
    text = stack(monkeypatch, [SERVES, BOOTS, GONE]).logs("sidecar")
    command = "sudo journalctl --no-pager --lines 200 --unit tpuserve-sidecar.service"
    assert words(gcloud) == [
        LOGIN.format("dev-1", "us-east5-b", command),
        LOGIN.format("dev-2", "us-east5-a", command),
    ]
    assert text.startswith("== dev-1\n") and "\n== dev-2\n" in text


def test_the_cloud_tpu_api_has_its_own_login(monkeypatch: pytest.MonkeyPatch, gcloud: Path) -> None:
    stack(monkeypatch, [SERVES], api="cloud-tpu").logs("vllm")
    assert words(gcloud)[0].startswith("alpha compute tpus tpu-vm ssh dev-1 --project my-project")


def test_the_key_is_rotated_on_one_machine_after_another(
    monkeypatch: pytest.MonkeyPatch, gcloud: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    added: list[str] = []
    monkeypatch.setattr(secret, "add", lambda name, _: added.append(name))
    stack(monkeypatch, [SERVES]).rotate_key()
    command = "sudo systemctl restart google-startup-scripts"
    calls = [LOGIN.format("dev-1", "us-east5-b", each) for each in ("true", command)]
    assert added == ["dev"] and words(gcloud) == calls
    assert "A new API key is set on 1 machines." in capsys.readouterr().err


def test_no_key_is_added_when_a_machine_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch, program: Program
) -> None:
    program("gcloud", 'case "$*" in *dev-2*) echo "no route" >&2; exit 255;; esac')
    added: list[str] = []
    monkeypatch.setattr(secret, "add", lambda name, _: added.append(name))
    with pytest.raises(Refusal, match=r"A command on machine dev-2 failed \(no route\): you need"):
        stack(monkeypatch, [SERVES, BOOTS]).rotate_key()
    assert added == []


def test_machines_that_have_not_read_the_key_are_named_and_the_others_have(
    monkeypatch: pytest.MonkeyPatch, program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    program("gcloud", 'case "$*" in *dev-1*restart*) echo "preempted" >&2; exit 255;; esac')
    monkeypatch.setattr(secret, "add", lambda *_: None)
    with pytest.raises(Refusal) as refusal:
        stack(monkeypatch, [SERVES, BOOTS]).rotate_key()
    assert str(refusal.value) == (
        "The new key is set, and dev-1 may still accept the old one: run `sudo systemctl restart "
        "google-startup-scripts` there."
    )
    assert "dev-2 has read the new key" in capsys.readouterr().err


def test_a_machine_that_does_not_come_back_is_said(monkeypatch: pytest.MonkeyPatch, gcloud: Path) -> None:
    monkeypatch.setattr(secret, "add", lambda *_: None)
    with pytest.raises(Refusal) as refusal:
        stack(monkeypatch, [SERVES, BOOTS]).rotate_key()
    assert str(refusal.value) == (
        "The new key is set, and machine dev-2 does not serve: run `make why STACK=dev`."
    )


def test_a_question_goes_through_the_tunnel_with_the_key(
    monkeypatch: pytest.MonkeyPatch, program: Program, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys

    listen = (
        "import socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1])))\nwhile 1: s.accept()"
    )
    calls = tmp_path / "calls"
    program("gcloud", f'echo "$@" >> {calls}; exec {sys.executable} -c "{listen}" "${{9##*:}}"')
    asked: list[chat.Server] = []

    def ask(self: chat.Server, prompt: str, max_tokens: int) -> Sequence[str]:
        asked.append(self)
        return [prompt, "!"]

    monkeypatch.setattr(chat.Server, "ask", ask)
    monkeypatch.setattr(secret, "read", lambda *_: "canary")
    stack(monkeypatch, [BOOTS, SERVES]).ask("Hello", 8)
    assert capsys.readouterr().out == "Hello!\n"
    assert (asked[0].stack, asked[0].key) == ("dev", "canary")
    port = asked[0].url.rpartition(":")[2]
    assert words(calls) == [
        "compute start-iap-tunnel dev-1 8000 --project my-project --zone us-east5-b "
        f"--local-host-port=127.0.0.1:{port}"
    ]
    assert "canary" not in calls.read_text()


def test_why_says_what_the_sidecar_and_the_server_count(
    monkeypatch: pytest.MonkeyPatch, program: Program
) -> None:
    """The command runs in a shell here, with a curl in place of the machine's."""
    program("gcloud", 'for last; do :; done; exec /bin/bash -c "${last#--command=}"')
    program(
        "curl",
        """case "$*" in
*metadata*) printf 10.0.0.7 ;;
*http://127.0.0.1:8001/metrics) printf 'tpuserve_slow_compilations_total 2' ;;
*http://10.0.0.7:8000/metrics) printf 'vllm:num_requests_waiting 9' ;;
*) exit 22 ;;
esac""",
    )
    found, _ = stack(monkeypatch, [SERVES]).why()
    said = " ".join(str(finding) for finding in found)
    assert "waited for 2 slow compilations" in said
    assert "9 requests wait in the queue of machine dev-1" in said


def test_why_goes_on_without_a_login(monkeypatch: pytest.MonkeyPatch, program: Program) -> None:
    program("gcloud", "echo 'ERROR: no login' >&2; exit 1")
    assert stack(monkeypatch, [SERVES]).why()[1] == "The machine of dev serves; nothing is wrong."


Command = Callable[[MachineStack], object]
REFUSED: list[tuple[Command, Sequence[Machine], str]] = [
    (
        lambda each: each.logs("kubelet"),
        [SERVES],
        "A stack of TPU VMs has no component 'kubelet': choose one of vllm, sidecar, collector, boot.",
    ),
    (lambda each: each.logs("vllm"), [GONE], "No machine of dev runs: run `make why STACK=dev`."),
    (lambda each: each.ask("Hello", 8), [BOOTS], "No machine of dev serves: run `make why STACK=dev`."),
    (
        lambda each: each.logs("vllm"),
        [SERVES],
        "STACK=dev is on TPU VMs, which are reached with gcloud, and it is not on PATH: install "
        "the Google Cloud "
        "CLI (https://cloud.google.com/sdk/docs/install).",
    ),
]


@pytest.mark.parametrize(("command", "found", "sentence"), REFUSED)
def test_a_command_that_cannot_run(
    monkeypatch: pytest.MonkeyPatch,
    program: Program,
    command: Command,
    found: Sequence[Machine],
    sentence: str,
) -> None:
    with pytest.raises(Refusal) as refusal:
        command(stack(monkeypatch, found))
    assert str(refusal.value) == sentence


def test_a_login_that_fails_names_the_roles(monkeypatch: pytest.MonkeyPatch, program: Program) -> None:
    program("gcloud", "echo first >&2; echo 'ERROR: 4033: not authorized' >&2; exit 1")
    with pytest.raises(Refusal) as refusal:
        stack(monkeypatch, [SERVES]).logs("vllm")
    assert str(refusal.value) == (
        "A command on machine dev-1 failed (ERROR: 4033: not authorized): you need `gcloud auth "
        "login` and the "
        "roles in docs/operations-tpu-vm.md, What a boot does."
    )
