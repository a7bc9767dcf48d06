"""A mistake in a stack file under the real CLI: one sentence, no traceback, no changes."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.commands import pulumi_stack
from tests import cli
from tools import toolchain
from tools.support import paths

GOOD: dict[str, Any] = yaml.safe_load((paths.REPOSITORY / "Pulumi.local.yaml").read_text("utf-8"))

ROWS: list[tuple[dict[str, Any], str]] = [
    ({"tpuserve:replicas": 0}, "replicas is 0; it must be at least 1; raise it."),
    ({"tpuserve:targt": {}}, "targt is not a name here; the nearest is target"),
    ({"tpuserve:phase": "tund"}, "phase 'tund' does not exist"),
    ({"tpuserve:engine": {"max_len": 3}}, "engine.max_len is not a name here; the nearest is max_model_len"),
    ({"tpuserve:engine": {"tensor_parallel_size": 8}}, "tensor_parallel_size"),
    ({"tpuserve:target": {"kind": "local", "context": ""}}, "target.context is empty"),
]


@pytest.mark.parametrize(("change", "sentence"), ROWS, ids=[next(iter(change)) for change, _ in ROWS])
def test_the_cli_shows_only_the_sentence(change: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.local.yaml"
    file.write_text(yaml.safe_dump({**GOOD, "config": {**GOOD["config"], **change}}), "utf-8")
    pulumi_stack.select()
    code, text = cli.run(
        ["pulumi", "preview", "--stack", "local", "--config-file", str(file), "--non-interactive"],
        paths.REPOSITORY,
        {**cli.neutral(), **toolchain.pulumi_environment()},
    )
    assert code != 0
    assert sentence in text, text
    assert "Traceback" not in text and 'File "' not in text, text
    assert "kubernetes:" not in text, text


def test_the_commands_of_a_sentence_change_text_into_a_number(tmp_path: Path) -> None:
    """`pulumi config set --path` without a type writes text, and the sentence has the commands that help."""
    file = tmp_path / "Pulumi.local.yaml"
    file.write_text(yaml.safe_dump(GOOD), "utf-8")
    pulumi_stack.select()

    def pulumi(*words: str) -> str:
        options = ["--stack", "local", "--config-file", str(file), "--non-interactive"]
        environment = {**cli.neutral(), **toolchain.pulumi_environment()}
        return cli.run(["pulumi", *words, *options], paths.REPOSITORY, environment)[1]

    pulumi("config", "set", "--path", "tpuserve:engine.gpu_memory_utilization", "0.9")
    text = " ".join(pulumi("preview").split())
    assert "engine.gpu_memory_utilization is the text '0.9'" in text
    commands = re.search("or run `pulumi ([^`]+)`, then `pulumi ([^`]+)`", text)
    assert commands, text
    for command in commands.groups():
        pulumi(*shlex.split(command))
    assert (
        yaml.safe_load(file.read_text("utf-8"))["config"]["tpuserve:engine"]["gpu_memory_utilization"] == 0.9
    )
    assert "is the text" not in pulumi("preview")
