"""A mistake in a stack file under the real CLI: one sentence, no traceback, no changes."""

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
