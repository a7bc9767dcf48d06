"""`python -m explain monitoring`: the two files of each kind of stack, and where they are written."""

import json
import re
from pathlib import Path

import pytest
import yaml

from explain import monitoring_files
from explain.__main__ import main
from tests.inventory.recorder import REPOSITORY


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)


@pytest.mark.parametrize(
    ("stack", "selector"),
    [
        ("local", 'tpuserve_ready{namespace="tpuserve"}'),
        ("prod", 'tpuserve_ready{namespace="tpuserve-prod"}'),
    ],
)
def test_the_files_select_the_servers_of_the_stack(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], stack: str, selector: str
) -> None:
    assert main(["monitoring", "--stack", stack, str(tmp_path / "new")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        str(tmp_path / "new" / name) for name in ("prometheus-rules.yaml", "grafana-dashboard.json")
    ]
    (group,) = yaml.safe_load((tmp_path / "new" / "prometheus-rules.yaml").read_text())["groups"]
    first = group["rules"][0]
    assert (first["alert"], first["expr"]) == ("NoReadyServer", f"(sum({selector}) or vector(0)) < 1")
    dashboard = json.loads((tmp_path / "new" / "grafana-dashboard.json").read_text())
    assert dashboard["title"] == f"tpuserve {stack}"
    assert dashboard["panels"][0]["targets"][0]["expr"] == f"sum({selector})"


def test_the_files_of_machines_read_only_the_port_that_others_can_read() -> None:
    """The sidecar of a TPU VM listens on loopback."""
    files = monitoring_files.files("dev", REPOSITORY)
    (group,) = yaml.safe_load(files["prometheus-rules.yaml"])["groups"]
    assert {rule["alert"] for rule in group["rules"]} == {
        "AnswersFail",
        "QueueTooLong",
        "KvCacheNearlyFull",
        "RequestsPreempted",
        "AvailabilityBudgetBurns",
    }
    read = set(re.findall(r"tpuserve_\w+", "".join(files.values())))
    assert read == {"tpuserve_guard_refusals_total"}
    assert '"max by (instance) (vllm:num_requests_waiting)' in json.dumps([r["expr"] for r in group["rules"]])


def test_the_limits_are_those_of_the_stack() -> None:
    (group,) = yaml.safe_load(monitoring_files.files("prod", REPOSITORY)["prometheus-rules.yaml"])["groups"]
    rules = {rule["alert"]: rule for rule in group["rules"]}
    assert rules["ServerNotReadyInTime"]["expr"].endswith("< 2")
    assert rules["QueueTooLong"]["expr"].endswith("> 128")
    assert rules["ApiKeyOld"]["expr"].endswith(f"> {90 * 86400}")


@pytest.mark.parametrize("stack", ["staging", "prod", "baseline"])
def test_a_server_is_late_after_the_deadline_of_its_deployment(stack: str) -> None:
    """The wait for flex-start nodes is in both."""
    planned = (REPOSITORY / f"tests/inventory/{stack}.yaml").read_text("utf-8")
    (deadline,) = re.findall(r"progressDeadlineSeconds: (\d+)", planned)
    (group,) = yaml.safe_load(monitoring_files.files(stack, REPOSITORY)["prometheus-rules.yaml"])["groups"]
    (rule,) = [rule for rule in group["rules"] if rule["alert"] == "ServerNotReadyInTime"]
    assert rule["for"] == f"{deadline}s"


def test_a_folder_that_cannot_be_written_gets_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["monitoring", "--stack", "local", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err == (
        f"{tmp_path / 'file'} cannot be written (File exists); name a folder for the two files.\n"
    )
