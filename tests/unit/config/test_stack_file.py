"""Bad stack files, one a row: every command refuses each with the sentence of `pulumi preview`."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pulumi
import pulumi.runtime
import pytest
import yaml

from config import stack_text
from config.selection import from_stack
from explain import __main__ as explain
from local import image
from local.commands import prove as make_prove
from proof import __main__ as proof
from tests.inventory import recorder
from tools.support import paths, subprocesses

GOOD: Mapping[str, Any] = {
    "target": {"kind": "tpu-vm", "project": "acme-tpu", "zone": "us-east5-b", "capacity": {"kind": "spot"}},
    "image": f"vllm/vllm-tpu:v0.32.0@sha256:{'ab' * 32}",
    "model_revision": "4d7ae4984b7db7de8f8457170b3f1a419ee76d52",
    "engine": {"num_gpu_blocks_override": 14694},
}
PASTED = "k" * 43
"""A secret in the wrong place, as long as a key of `make key`."""

BAD: tuple[tuple[Mapping[str, Any], str], ...] = (
    (
        {"authentication": "api_key"},
        "authentication is the text 'api_key'; possible are api-key, none; write one of them.",
    ),
    (
        {"authentication": PASTED},
        "authentication is the text of 43 characters; possible are api-key, none; write one of them.",
    ),
    ({"modell": "gemma-4-e4b-it"}, "modell is not a name here; the nearest is model; correct or remove it."),
    (
        {"longest_request_seconds": 7200},
        "longest_request_seconds is 7,200; it must be at most 3,600; lower it.",
    ),
    ({"replicas": 0}, "replicas is 0; it must be at least 1; raise it."),
    ({"target": None}, "target is not set and has no default; set it."),
    (
        {"image": "vllm/vllm-tpu:v0.32.0"},
        "image is vllm/vllm-tpu:v0.32.0, which can be another image tomorrow; name it with its digest: "
        "`crane digest IMAGE` prints it.",
    ),
    (
        {"image": {"secure": "v1:djE6TG9uZw=="}},
        "tpuserve:image is encrypted, but messages and outputs repeat settings, so none may be a secret; "
        "remove it with `pulumi config rm tpuserve:image`, and set it again without --secret.",
    ),
    ({"model_revision": None}, "model_revision is not set, and what google/gemma-4-26B-A4B-it holds may be "),
    ({"phase": "tund"}, "phase 'tund' does not exist: there are baseline, peak, turbo-stable, tuned; "),
    ({"phase": PASTED}, "phase of 43 characters does not exist: there are baseline, peak, turbo-stable, "),
    ({"accelerator": "local-v6e-4"}, "accelerator local-v6e-4 is the CPU stand-in and does not exist "),
    ({"accelerator": "v5e-1"}, "accelerator v5e-1 is in the table only to compare published boots with, "),
    ({"engine": {"max_len": 3}}, "engine.max_len is not a name here; the nearest is max_model_len; "),
    (
        {"engine": {"extra_environment": {"HF_TOKEN": PASTED}}},
        "engine.extra_environment: HF_TOKEN: the server needs no token",
    ),
    (
        {"acceptance": {"off": ["ladder"], "limits": {"time_to_first_token_ms": 500}}},
        "acceptance.limits is set, and acceptance.off has ladder, which reads it; remove one of them.",
    ),
)
"""Changes to a good stack file, None for a key that is left out, and how the sentence of each begins."""

ERRORS: tuple[tuple[Mapping[str, Any], str], ...] = (
    (
        {"engine": {"max_num_batched_tokens": 100}},
        "engine.max_num_batched_tokens is 100 (stack file): vLLM refuses to boot with fewer tokens in a step "
        "than its 128 requests; write `max_num_batched_tokens: 282` under tpuserve:engine, or write "
        "`max_num_seqs: 100` under tpuserve:engine.",
    ),
    (
        {"engine": {"extra_environment": {"USE_DENSE_MOE": "1"}}},
        "engine.extra_environment.USE_DENSE_MOE is 1 (stack file): every token runs through every expert; "
        "remove `extra_environment` from tpuserve:engine.",
    ),
    (
        {"engine": {"num_gpu_blocks_override": 99999}},
        "engine.num_gpu_blocks_override is 99,999 (stack file): gpu_memory_utilization leaves room for "
        "14,694 pages; write `num_gpu_blocks_override: 14694` under tpuserve:engine, or remove "
        "`num_gpu_blocks_override` from tpuserve:engine.",
    ),
)
"""Engines that are well formed and could not serve: errors among the findings."""


def settings(change: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the good stack file's content under `config` with a change."""
    return {f"tpuserve:{key}": value for key, value in {**GOOD, **change}.items() if value is not None}


def preview(folder: Path) -> int:
    """The program as `pulumi preview` runs it, up to the first resource of a foundation."""
    given = yaml.safe_load((folder / "Pulumi.mine.yaml").read_text("utf-8"))["config"]
    values = {key: value if isinstance(value, str) else json.dumps(value) for key, value in given.items()}
    secret = [key for key, value in given.items() if isinstance(value, dict) and "secure" in value]
    values |= dict.fromkeys(secret, PASTED)
    original = pulumi.runtime.set_all_config

    def with_secrets(config: dict[str, str]) -> None:
        original(config, secret)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pulumi.runtime, "set_all_config", with_secrets)
        try:
            recorder.record("mine", values)
        except pulumi.RunError as refusal:
            print(refusal)
            return 2
    return 0


def prove(*words: str) -> Callable[[Path], int]:
    """`python -m proof` for the stack, which ends before it imports anything of the model server."""
    return lambda folder: proof.main(
        ["--stack", "mine", "--files", str(folder), "--work", str(folder / "work"), *words]
    )


COMMANDS: Mapping[str, Callable[[Path], int]] = {
    "preview": preview,
    "explain": lambda _: explain.main(["engine", "--stack", "mine"]),
    "explain --compare": lambda _: explain.main(["engine", "--compare", "tuned", "mine"]),
    "compose": lambda _: explain.main(["compose", "--stack", "mine"]),
    "prove": prove(),
    "bake": prove("--bake"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which every command looks for stack files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(proof, "STACKS", tmp_path)
    monkeypatch.setattr(paths, "REPOSITORY", tmp_path)
    return tmp_path


def write(folder: Path, change: Mapping[str, Any]) -> None:
    text = yaml.safe_dump({"config": settings(change)}, sort_keys=False)
    (folder / "Pulumi.mine.yaml").write_text(text, "utf-8")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("change", "sentence"), [*BAD, *ERRORS], ids=[text for _, text in (*BAD, *ERRORS)])
def test_every_command_refuses_with_the_same_sentence(
    change: Mapping[str, Any],
    sentence: str,
    command: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(folder, change)
    code = COMMANDS[command](folder)
    said = capsys.readouterr()
    assert code == (1 if command.startswith("explain") and (change, sentence) in ERRORS else 2)
    (line,) = [line for line in (said.out + said.err).splitlines() if line.startswith(sentence)]
    assert line.endswith(".")
    assert PASTED not in said.out + said.err
    if command == "compose":
        assert said.out == ""


@pytest.mark.parametrize(("change", "sentence"), BAD, ids=[text for _, text in BAD])
def test_make_prove_refuses_before_it_builds_anything(
    change: Mapping[str, Any],
    sentence: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def built() -> None:
        raise AssertionError("a wrong stack file started a build")

    monkeypatch.setattr(subprocesses, "end_in_order", lambda: None)
    monkeypatch.setattr(image, "ensure_environment", built)
    write(folder, change)
    assert make_prove.main(["--stack", "mine", "--quick"]) == 2
    said = capsys.readouterr()
    assert sentence in said.out + said.err


def test_the_good_one_is_good(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, {})
    assert from_stack("mine", folder).candidate.model.revision == GOOD["model_revision"]
    assert COMMANDS["explain"](folder) == 0
    assert COMMANDS["compose"](folder) == 0
    assert "TPUSERVE_API_KEY_FILE" in capsys.readouterr().out


def test_an_estimate_that_does_not_fit_can_still_be_proved(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The compiler decides; the next sentence is about the packages that only the model server has."""
    write(folder, {"engine": {"gpu_memory_utilization": 1.0}})
    assert COMMANDS["explain"](folder) == 1
    assert COMMANDS["compose"](folder) == 2
    assert "engine.gpu_memory_utilization is 1" in capsys.readouterr().err
    assert COMMANDS["prove"](folder) == 2
    assert "A proof needs vllm-tpu" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["yes", "no", "on", "off", "Yes"])
def test_words_that_pulumi_reads_as_text_are_text(word: str, folder: Path) -> None:
    (folder / "Pulumi.mine.yaml").write_text(f"config:\n  tpuserve:replicas: {word}\n", "utf-8")
    assert stack_text.configuration(folder / "Pulumi.mine.yaml") == {"tpuserve:replicas": word}
    assert stack_text.yaml_value("[true, False, 1]") == [True, False, 1]
