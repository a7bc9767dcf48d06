"""Outputs of a stack: read with the CLI, and one sentence for each way in which that fails."""

from pathlib import Path

import pytest

from local.commands import pulumi_stack
from operate import outputs
from tests.unit.operate.conftest import Program
from tools import toolchain
from tools.support.errors import Refusal


@pytest.fixture(autouse=True)
def backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CLI on PATH, and a user with a backend."""
    import os

    monkeypatch.setattr(toolchain, "ensure", lambda *names: None)
    monkeypatch.setattr(pulumi_stack, "own_environment", lambda: dict(os.environ))


def test_the_outputs_of_the_stack_are_read(program: Program, tmp_path: Path) -> None:
    program(
        "pulumi", f"""echo "$@" > {tmp_path}/words; echo '{{"group": "dev-1", "kubeconfig": {{"a": 1}}}}'"""
    )
    assert outputs.required("dev", "group") == "dev-1"
    assert (tmp_path / "words").read_text() == "stack output --json --stack dev\n"
    assert outputs.required("dev", "kubeconfig") == '{"a": 1}'


NOT_UP = "STACK=dev is not up, or was deployed by an older version: run `pulumi up -s dev`."
FAILURES = [
    ("echo \"error: no stack named 'dev' found\" >&2; exit 255", NOT_UP),
    ("echo '{}'", NOT_UP),
    (
        "echo 'error: read \".pulumi\": 403 Forbidden' >&2; exit 255",
        'Pulumi cannot read the state of dev (error: read ".pulumi": 403 Forbidden): fix that, '
        "or run `gcloud "
        "auth application-default login`.",
    ),
]


@pytest.mark.parametrize(("script", "sentence"), FAILURES)
def test_an_output_that_cannot_be_read(program: Program, script: str, sentence: str) -> None:
    program("pulumi", script)
    with pytest.raises(Refusal) as refusal:
        outputs.required("dev", "group")
    assert str(refusal.value) == sentence


def test_a_user_without_a_backend_has_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi_stack, "own_environment", lambda: None)
    with pytest.raises(Refusal) as refusal:
        outputs.read("dev")
    assert str(refusal.value) == (
        "Nothing says where the state of dev is: export PULUMI_BACKEND_URL=gs://BUCKET (docs/operations.md, "
        "step 2)."
    )
