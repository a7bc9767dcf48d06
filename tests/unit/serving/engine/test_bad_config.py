"""Everything that a user can get wrong about an engine, and the one sentence that he reads."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from config.selection import from_name, from_stack, overrides
from serving.compilation.candidate import Candidate
from serving.engine.phases import PHASES, engine_for
from serving.findings import findings
from serving.hardware.accelerators import DEFAULT_ACCELERATOR, accelerator
from serving.models.catalog import model
from tests.unit.serving.combinations import TABLE, candidate, configuration

HERE = Path(__file__).parent
FIELDS: list[dict[str, Any]] = yaml.safe_load((HERE / "bad_fields.yaml").read_text("utf-8"))

NAMES = (
    (lambda: engine_for("turbo", None, {}), "phase 'turbo' does not exist: ", "; set phase to turbo-stable."),
    (lambda: engine_for("x", None, {}), "phase 'x' does not exist: ", "; choose one of them."),
    (lambda: engine_for("tuned", "chat", {}), "scenario 'chat' does not exist: ", "; choose one of them."),
    (
        lambda: engine_for("tuned", "interactiv", {}),
        "scenario 'interactiv' does not exist: ",
        "; set scenario to interactive.",
    ),
    (lambda: accelerator("v6e4"), "accelerator 'v6e4' does not exist: ", "; set accelerator to v6e-4."),
    (lambda: accelerator("h100"), "accelerator 'h100' does not exist: ", "; choose one of them."),
    (
        lambda: model("gemma-4-26b"),
        "model 'gemma-4-26b' does not exist: ",
        "; set model to gemma-4-26b-a4b-it.",
    ),
    (lambda: model("llama"), "model 'llama' does not exist: ", "; choose one of them."),
    (lambda: from_stack("nowhere", HERE), "stack 'nowhere' has no file Pulumi.nowhere.yaml: ", "them."),
    (lambda: from_name("tuned+chat", HERE), "scenario 'chat' does not exist: ", "; choose one of them."),
)


WORDS = (
    ("max_num_seqs", "--set max_num_seqs has no value; write --set max_num_seqs=VALUE."),
    (
        "max_num_seqs=[",
        "--set max_num_seqs has a value that is not valid YAML (expected the node content, but found "
        "'<stream end>' in line 1); fix it, or write text in quotes.",
    ),
    (
        "extra_environment={HF_TOKEN: hunter2",
        "--set extra_environment has a value that is not valid YAML (expected ',' or '}', but got "
        "'<stream end>' in line 1); fix it, or write text in quotes.",
    ),
    (
        "chat_template=\x07",
        "--set chat_template has a value that is not valid YAML (it holds a character that YAML does not "
        "allow); fix it, or write text in quotes.",
    ),
    (
        "chat_template=2026-13-01",
        "--set chat_template has a value that is not valid YAML (month must be in 1..12); fix it, or write "
        "text in quotes.",
    ),
)
NOTHING = (
    "Pulumi.odd.yaml has no names and values under `config:`; write each as `tpuserve:NAME: VALUE` there."
)
STACK_FILES = (
    (b"", NOTHING),
    (b"config:\n", NOTHING),
    (b"config: fast\n", NOTHING),
    (b"- config\n", NOTHING),
    (b"encryptionsalt: v1\n", NOTHING),
    (
        b"config:\n  tpuserve:phase: [\n",
        "Pulumi.odd.yaml is not valid YAML (expected the node content, but found '<stream end>' in line 3); "
        "fix it.",
    ),
    (b"config: \xff\n", "Pulumi.odd.yaml is not text in UTF-8; save it as that."),
    (
        b"config:\n  tpuserve:target: {kind: local}\n  tpuserve:longest_request_seconds: ten\n",
        "longest_request_seconds is the text 'ten'; it must be a whole number; write a whole number.",
    ),
    (
        b"config:\n  tpuserve:target: {kind: local}\n  tpuserve:longest_request_seconds: 60.5\n",
        "longest_request_seconds is 60.5; it must be a whole number; write a whole number.",
    ),
)


@pytest.mark.parametrize(("word", "sentence"), WORDS)
def test_a_word_of_set_that_is_wrong(word: str, sentence: str) -> None:
    with pytest.raises(ValueError) as refusal:
        overrides([word])
    assert str(refusal.value) == sentence


@pytest.mark.parametrize(("content", "sentence"), STACK_FILES)
def test_a_stack_file_that_is_wrong(content: bytes, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.odd.yaml").write_bytes(content)
    with pytest.raises(ValueError) as refusal:
        from_stack("odd", tmp_path)
    assert str(refusal.value) == sentence


@pytest.mark.parametrize("case", FIELDS, ids=[str(case["overrides"]) for case in FIELDS])
def test_a_bad_value_is_refused_in_one_sentence(case: dict[str, Any]) -> None:
    with pytest.raises(ValueError) as refusal:
        engine_for("tuned", None, case["overrides"])
    assert str(refusal.value) == case["sentence"]


@pytest.mark.parametrize("case", TABLE, ids=[f"{case['code']} {case['overrides']}" for case in TABLE])
def test_a_bad_combination_says_what_was_asked_what_is_true_and_what_to_change(case: dict[str, Any]) -> None:
    every = findings(candidate(configuration(case)))
    found = [(finding.severity, str(finding)) for finding in every if finding.code == case["code"]]
    assert found == [(case["severity"], case["sentence"])]


@pytest.mark.parametrize(("ask", "begins", "ends"), NAMES)
def test_an_unknown_name_is_answered_with_the_nearest(ask: Any, begins: str, ends: str) -> None:
    with pytest.raises(ValueError) as refusal:
        ask()
    assert str(refusal.value).startswith(begins)
    assert str(refusal.value).endswith(ends)


def test_every_mistake_gets_its_own_line() -> None:
    with pytest.raises(ValueError) as refusal:
        engine_for("tuned", None, {"max_num_seqs": 0, "block_sise": 32, "dtype": "int4"})
    assert len(str(refusal.value).splitlines()) == 3


@pytest.mark.parametrize(
    "overrides",
    [
        {"api_key": "hunter2"},
        {"HF_TOKEN": "hunter2"},
        {"extra_environment": {"HF_TOKEN": "hunter2"}},
        {"extra_environment": {"HF_TOKEN": ["hunter2"]}},
        {"extra_environment": {"S3_SECRET_ACCESS_KEY": "hunter2"}},
    ],
)
def test_a_secret_in_the_wrong_place_is_not_repeated(overrides: dict[str, object]) -> None:
    with pytest.raises(ValueError) as refusal:
        engine_for("tuned", None, overrides)
    assert "hunter2" not in str(refusal.value)


def test_no_phase_has_an_error_and_every_row_of_the_table_is_a_deviation_from_a_good_engine() -> None:
    for phase in PHASES.values():
        every = findings(
            Candidate(accelerator(DEFAULT_ACCELERATOR), model(phase.model), engine_for(phase.name, None, {}))
        )
        assert [str(finding) for finding in every if finding.severity == "error"] == []
