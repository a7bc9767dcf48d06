"""`python -m operate`: the exit code, and one sentence for each input that cannot work."""

import os
import shutil
from pathlib import Path

import google.auth.exceptions
import pytest

from local.commands import pulumi_stack
from operate import __main__ as command_line
from operate.cluster_stack import ClusterStack
from operate.diagnosis import Finding
from tests.unit.operate.conftest import Program
from tools import toolchain
from tools.support import paths

COMMANDS = ("status", "logs", "ask", "why", "rollout", "key")
STACKS = "baseline, dev, foundation, local, peak, prod, staging, turbo-stable"


def run(command: str, stack: str) -> int:
    """Runs a command as `make` does."""
    prompt = ["Hello"] if command == "ask" else []
    return command_line.main([command, "--stack", stack, *prompt])


def sentence(capsys: pytest.CaptureFixture[str]) -> str:
    """Returns what was printed: one sentence without a traceback."""
    shown = capsys.readouterr()
    assert shown.out == "" and "Traceback" not in shown.err
    lines = shown.err.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_stack_is_refused(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "stagin") == 2
    assert sentence(capsys) == (
        f"stack 'stagin' has no file Pulumi.stagin.yaml: there are {STACKS}; the nearest is staging."
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_foundation_is_refused(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "foundation") == 2
    assert sentence(capsys) == (
        "STACK=foundation is a foundation, which has no server: name a stack that serves, or "
        "run `pulumi stack "
        "output -s foundation`."
    )


def test_a_stack_file_with_a_mistake_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "Pulumi.odd.yaml").write_text("config: [", "utf-8")
    assert command_line.main(["why", "--stack", "odd"], tmp_path) == 2
    assert sentence(capsys).startswith("Pulumi.odd.yaml is not valid YAML")


def test_a_stack_without_a_key_has_none_to_replace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (paths.REPOSITORY / "Pulumi.local.yaml").read_text("utf-8")
    (tmp_path / "Pulumi.local.yaml").write_text(
        text.replace("config:\n", "config:\n  tpuserve:authentication: none\n"), "utf-8"
    )
    assert command_line.main(["key", "--stack", "local"], tmp_path) == 2
    assert sentence(capsys) == (
        "STACK=local has no API key to replace, because its clients need none: set `authentication: api-key` "
        "in Pulumi.local.yaml first."
    )


NOT_UP = "echo \"error: no stack named '$5' found\" >&2; exit 255"
OUTPUTS = """echo '{"kubeconfig": "{}", "group": "g", "environments": {}}'"""
BAD_MACHINES: list[tuple[str, str, dict[str, str], str]] = [
    (
        "a stack on GKE that is not up",
        "staging",
        {"gke-gcloud-auth-plugin": "", "kubectl": "", "pulumi": NOT_UP},
        "STACK=staging is not up, or was deployed by an older version: run `pulumi up -s staging`.",
    ),
    (
        "TPU VMs that are not up",
        "dev",
        {"pulumi": NOT_UP},
        "STACK=dev is not up, or was deployed by an older version: run `pulumi up -s dev`.",
    ),
    (
        "no credentials for the state",
        "staging",
        {
            "gke-gcloud-auth-plugin": "",
            "kubectl": "",
            "pulumi": "echo 'error: could not find default credentials' >&2; exit 255",
        },
        "Pulumi cannot read the state of staging (error: could not find default credentials): "
        "fix that, or run "
        "`gcloud auth application-default login`.",
    ),
    (
        "no credentials for Google",
        "dev",
        {"pulumi": OUTPUTS},
        "Google credentials are needed to call Google's API compute, and this machine has none "
        "that work: run "
        "`gcloud auth application-default login`.",
    ),
    (
        "no credentials for the cluster",
        "staging",
        {
            "gke-gcloud-auth-plugin": "",
            "kubectl": "echo 'error: You must be logged in to the server (Unauthorized)' >&2; exit 1",
            "pulumi": OUTPUTS,
        },
        "kubectl get failed for staging (error: You must be logged in to the server "
        "(Unauthorized)): run `gcloud "
        "auth login` as somebody who may use the cluster (roles/container.developer; docs/operations.md, "
        "Find a fault).",
    ),
    (
        "kubectl missing",
        "staging",
        {"gke-gcloud-auth-plugin": "", "pulumi": OUTPUTS},
        "kubectl is neither on PATH nor built yet: run `make up`, or `python -m tools.toolchain "
        "build kubectl`.",
    ),
    (
        "kubectl's login program missing",
        "staging",
        {"kubectl": "", "pulumi": OUTPUTS},
        "STACK=staging is on GKE, and kubectl logs in there with gke-gcloud-auth-plugin, which "
        "is not on PATH: "
        "run `gcloud components install gke-gcloud-auth-plugin`.",
    ),
]


@pytest.mark.parametrize(
    ("stack", "programs", "expected"), [row[1:] for row in BAD_MACHINES], ids=[row[0] for row in BAD_MACHINES]
)
def test_a_machine_that_cannot_reach_the_stack_says_why(
    stack: str,
    programs: dict[str, str],
    expected: str,
    program: Program,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, script in programs.items():
        program(name, script)

    def no_login(*_: object, **__: object) -> None:
        raise google.auth.exceptions.DefaultCredentialsError("none")

    real = toolchain.path

    def path(name: str) -> Path:
        return Path(shutil.which(name) or real(name))

    monkeypatch.setattr(toolchain, "path", path)
    monkeypatch.setattr(toolchain, "ensure", lambda *names: None)
    monkeypatch.setattr(pulumi_stack, "own_environment", lambda: dict(os.environ))
    monkeypatch.setattr("googleapiclient._auth.google.auth.default", no_login)
    assert run("why", stack) == 1
    assert sentence(capsys) == expected


FINDINGS: list[tuple[list[Finding], int]] = [
    ([Finding("traffic", "fine", "1 of 1 servers get traffic")], 0),
    ([Finding("traffic", "warning", "7 requests wait", "add replicas")], 0),
    ([Finding("acceptance", "waiting", "pod x is being accepted", "run it again")], 1),
    ([Finding("node", "fault", "node x is not ready", "look at it")], 1),
]


@pytest.mark.parametrize(("findings", "code"), FINDINGS)
def test_why_ends_with_the_sentence_and_a_code_for_scripts(
    findings: list[Finding], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ClusterStack, "why", lambda _: (findings, "The cause is x."))
    assert run("why", "local") == code
    assert capsys.readouterr().out == f"{findings[0].line}\n\nThe cause is x.\n"


@pytest.mark.parametrize(("looks", "seconds", "code"), [([False, True], 60, 0), ([False] * 9, 0, 3)])
def test_a_rollout_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, looks: list[bool], seconds: int, code: int
) -> None:
    monkeypatch.setattr(ClusterStack, "is_rolled_out", lambda _: looks.pop(0))
    monkeypatch.setattr(command_line, "LOOK_SECONDS", 0)
    words = ["rollout", "--stack", "local", "--seconds", str(seconds)]
    assert command_line.main(words) == code
