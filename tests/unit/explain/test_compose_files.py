"""`python -m explain compose`: the texts for a machine that is run by hand."""

from pathlib import Path

import pytest
import yaml

from config.selection import from_stack
from explain import __main__ as command
from explain import compose_files
from tests.inventory.recorder import REPOSITORY


def test_it_prints_both_files_or_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(REPOSITORY)
    files = compose_files.files("dev", REPOSITORY)
    assert command.main(["compose", "--stack", "dev"]) == 0
    assert capsys.readouterr().out == "".join(f"# {name}\n{text}" for name, text in files.items())
    for name, text in files.items():
        assert command.main(["compose", "--stack", "dev", name]) == 0
        assert capsys.readouterr().out == text
    assert yaml.safe_load(files["compose.yaml"])["services"]["vllm"]["image"].startswith("vllm/vllm-tpu:")


def test_a_server_without_a_sidecar_waits_for_no_verdict() -> None:
    files = compose_files.files("dev", REPOSITORY)
    assert list(yaml.safe_load(files["compose.yaml"])["services"]) == ["vllm"]
    assert "TPUSERVE_VERDICT_FILE" not in files["vllm.env"]
    assert "TPUSERVE_CACHE_EVENTS_FILE" in files["vllm.env"]


def test_without_authentication_no_key_file_is_named(tmp_path: Path) -> None:
    config = yaml.safe_load((REPOSITORY / "Pulumi.dev.yaml").read_text())
    config["config"]["tpuserve:authentication"] = "none"
    (tmp_path / "Pulumi.open.yaml").write_text(yaml.safe_dump(config))
    assert "TPUSERVE_API_KEY_FILE" in compose_files.files("dev", REPOSITORY)["vllm.env"]
    assert "TPUSERVE_API_KEY_FILE" not in compose_files.files("open", tmp_path)["vllm.env"]


def test_a_collector_of_a_cluster_is_refused_outside_it(tmp_path: Path) -> None:
    """The GKE stack itself is good: its pods reach the Service."""
    config = yaml.safe_load((REPOSITORY / "Pulumi.prod.yaml").read_text())
    endpoint = {"otlp_traces_endpoint": "http://collector.observability.svc:4317"}
    config["config"].setdefault("tpuserve:engine", {}).update(endpoint)
    (tmp_path / "Pulumi.traced.yaml").write_text(yaml.safe_dump(config))
    assert from_stack("traced", tmp_path).candidate.engine.otlp_traces_endpoint
    with pytest.raises(ValueError) as caught:
        compose_files.files("traced", tmp_path)
    assert str(caught.value) == (
        "engine.otlp_traces_endpoint is a Service of a cluster, which a machine outside the cluster does not "
        "reach; remove it, or serve with target.kind gke."
    )


BAD = (
    ("local", "stack 'local' names no image; set tpuserve:image to one with its digest, such as "),
    ("foundation", "stack 'foundation' is a foundation and serves nothing; "),
    ("de", "stack 'de' has no file Pulumi.de.yaml: there are "),
)


@pytest.mark.parametrize(("stack", "sentence"), BAD)
def test_what_has_no_container_stack_says_so(
    stack: str, sentence: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(REPOSITORY)
    assert command.main(["compose", "--stack", stack]) == 2
    assert capsys.readouterr().err.startswith(sentence)
