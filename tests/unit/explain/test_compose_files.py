"""`python -m explain compose`: the texts for a machine that is run by hand."""

from pathlib import Path

import pytest
import yaml

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


def test_without_authentication_no_key_file_is_named(tmp_path: Path) -> None:
    config = yaml.safe_load((REPOSITORY / "Pulumi.dev.yaml").read_text())
    config["config"]["tpuserve:authentication"] = "none"
    (tmp_path / "Pulumi.open.yaml").write_text(yaml.safe_dump(config))
    assert "TPUSERVE_API_KEY_FILE" in compose_files.files("dev", REPOSITORY)["vllm.env"]
    assert "TPUSERVE_API_KEY_FILE" not in compose_files.files("open", tmp_path)["vllm.env"]


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
