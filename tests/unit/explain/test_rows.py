"""The output of `python -m explain`: tables, comparisons and JSON; and the commands in the documents."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from config.selection import from_name, from_phase
from explain.__main__ import main
from serving.engine.phases import PHASES, SCENARIOS
from tests.inventory.golden import ThatDay

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def that_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """A price that is older than a year is not shown."""
    monkeypatch.setattr("explain.__main__.date", ThatDay)


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    output = capsys.readouterr()
    return code, output.out, output.err


def test_a_comparison_says_what_a_change_does(capsys: pytest.CaptureFixture[str]) -> None:
    code, text, _ = shown(capsys, "engine", "--compare", "turbo-stable", "tuned")
    assert code == 0
    rows = [line.split() for line in text.splitlines()]
    assert ["≠", "KV", "tokens", "384,320", "235,104"] in rows
    assert ["≠", "max_num_seqs", "256", "128"] in rows
    assert "max_model_len" not in text and rows[-1] == ["no", "other", "differences"]
    unique = text.partition("FINDINGS ONLY OF TURBO-STABLE")[2].partition("FINDINGS ONLY OF TUNED")
    assert "trust_remote_code" in unique[0] and "trust_remote_code" not in unique[2]
    assert max(len(line) for line in text.splitlines()) <= 116


@pytest.mark.parametrize(
    ("arguments", "first", "limit", "smaller"),
    [
        (
            ("--phase", "tuned"),
            "tuned: gemma-4-26b-a4b-it on v6e-4: fits, with 1.63 GiB of each chip left [compiled 2026-11-27,",
            "limited by the KV cache, which holds 102 requests of 2,300 tokens for 128 slots",
            "smaller slice none would do",
        ),
        (
            ("--phase", "baseline"),
            "baseline: gemma-4-e4b-it on v6e-4: fits, with 1.67 GiB of each chip left [compiled 2026-11-27,",
            "limited by max_num_seqs, 256 slots where the KV cache holds 396 requests of 2,300 tokens",
            "smaller slice v6e-1 would do: 1.71 GiB of each chip left, and 112 requests of 2,300 tokens in "
            "the KV cache instead of 396 [scaled]",
        ),
        (
            ("--phase", "tuned", "--set", "gpu_memory_utilization=1"),
            "tuned gpu_memory_utilization=1: gemma-4-26b-a4b-it on v6e-4: does not serve: engine",
            "limited by HBM for programs and their buffers",
            None,
        ),
        (
            ("--phase", "tuned", "--accelerator", "v6e-1"),
            "tuned v6e-1: gemma-4-26b-a4b-it on v6e-1: does not serve: engine.tensor_parallel_size is 4 "
            "(phase tuned): v6e-1 has 1",
            "limited by chips",
            None,
        ),
        (
            ("--phase", "tuned", "--set", "model_impl_type=vllm"),
            "tuned model_impl_type=vllm: gemma-4-26b-a4b-it on v6e-4: not modeled: vLLM's PyTorch code runs",
            "limited by the KV cache, which holds 126 requests of 2,300 tokens for 128 slots",
            None,
        ),
        (
            ("--phase", "tuned", "--set", "tensor_parallel_size=3"),
            "tuned tensor_parallel_size=3: gemma-4-26b-a4b-it on v6e-4: no verdict: engine.",
            None,
            None,
        ),
    ],
)
def test_the_verdict_comes_first(
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    first: str,
    limit: str | None,
    smaller: str | None,
) -> None:
    _, text, _ = shown(capsys, "engine", *arguments)
    head = " ".join(text.partition("SERVER")[0].split())
    assert head.startswith(first)
    for words, label in ((limit, "limited by"), (smaller, "smaller slice")):
        assert (words or "") in head
        assert (label in head) == (words is not None)


LABELS = ("exact", "compiled 20", "scaled", "assumed", "measured", "simulated")


@pytest.mark.parametrize("phase", PHASES)
def test_every_number_says_how_it_is_known_and_is_shown_once(
    capsys: pytest.CaptureFixture[str], phase: str
) -> None:
    _, text, _ = shown(capsys, "engine", "--phase", phase, "--json")
    document = json.loads(text)
    for section in ("memory of one chip", "requests", "programs", "cold start"):
        for label, row in document[section].items():
            # Whether images are served, what programs are called and sums need no label.
            if label not in ("usable", "images", "async scheduling", "total"):
                assert row["basis"].startswith(LABELS), (section, label, row["basis"])
    labels = [label for section in document.values() if isinstance(section, dict) for label in section]
    assert len(labels) == len(set(labels))


def test_measured_throughput_is_shown_with_its_engine(capsys: pytest.CaptureFixture[str]) -> None:
    _, text, _ = shown(capsys, "engine", "--phase", "tuned")
    words = " ".join(text.split())
    assert (
        "16 at once, 31 tokens in 1,982 tokens a second, 256 in each answer [measured "
        "(Gemma4ForConditionalGeneration, 0.29.1rc1.dev468)]"
    ) in words
    _, text, _ = shown(capsys, "engine", "--phase", "baseline")
    assert "THROUGHPUT" not in text


def test_equal_engines_have_no_differences(capsys: pytest.CaptureFixture[str]) -> None:
    _, text, _ = shown(capsys, "engine", "--compare", "tuned", "tuned")
    assert "≠" not in text and text.endswith("no other differences\n")


def test_an_engine_that_cannot_serve_is_explained_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    code, text, _ = shown(capsys, "engine", "--phase", "tuned", "--accelerator", "v6e-1")
    assert code == 1
    assert (
        "too-few-chips" not in text and "engine.tensor_parallel_size is 4 (phase tuned): v6e-1 has 1;" in text
    )


@pytest.mark.parametrize("phase", PHASES)
def test_the_json_of_every_phase_carries_numbers_with_their_basis(
    capsys: pytest.CaptureFixture[str], phase: str
) -> None:
    code, text, _ = shown(capsys, "engine", "--phase", phase, "--json")
    document = json.loads(text)
    assert code == 0
    assert document["requests"]["KV tokens"]["value"] > 100_000
    assert document["memory of one chip"]["KV cache"]["basis"] == "exact"
    assert document["cost"]["an hour"]["value"] == pytest.approx(10.8)
    assert document["argv"][:2] == ["vllm", "serve"]
    assert all(finding["sentence"] for finding in document["findings"])


def test_an_old_price_carries_a_warning(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Later(ThatDay):
        """A day on which the prices are more than 90 days old."""

        @classmethod
        def today(cls) -> "Later":
            return cls(2026, 11, 10)

    monkeypatch.setattr("explain.__main__.date", Later)
    _, text, _ = shown(capsys, "engine", "--phase", "tuned")
    words = " ".join(text.split())
    assert "price of v6e in us-east5 was read on 2026-08-11, 91 days ago; check it" in words
    _, before, _ = shown(capsys, "engine", "--phase", "tuned", "--json")
    assert json.loads(before)["cost"]["age"]["value"] == 91


def test_a_what_if_is_laid_over_the_phase(capsys: pytest.CaptureFixture[str]) -> None:
    code, text, _ = shown(capsys, "engine", "--set", "max_num_seqs=512", "--set", "engine.block_size=32")
    assert code == 1
    assert text.startswith("tuned max_num_seqs=512 engine.block_size=32: gemma-4-26b-a4b-it on v6e-4")
    assert "error    engine.block_size is 32 (--set): the block table of 512 requests" in text


@pytest.mark.parametrize("file", ["/nowhere/boot.log", "/"])
def test_a_log_that_cannot_be_read_is_one_sentence(capsys: pytest.CaptureFixture[str], file: str) -> None:
    code, _, error = shown(capsys, "bootlog", file, "--phase", "tuned")
    assert code == 2 and error.startswith(f"{file} cannot be read (") and error.count("\n") == 1


def test_two_in_json_are_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    _, text, _ = shown(capsys, "engine", "--json", "--compare", "tuned", "tuned+batch")
    assert [document["name"] for document in json.loads(text)] == ["tuned", "tuned+batch"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--phase", "tune"), "phase 'tune' does not exist: "),
        (("--phase", "tuned", "--scenario", "chat"), "scenario 'chat' does not exist: "),
        (("--phase", "tuned", "--model", "x"), "model 'x' does not exist: "),
        (("--stack", "foundation"), "stack 'foundation' is a foundation and serves nothing; "),
        (("--stack", "nowhere"), "stack 'nowhere' has no file Pulumi.nowhere.yaml: "),
        (
            ("--stack", "local", "--model", "x"),
            "--model was given beside --stack, which names a whole engine; use one of them.",
        ),
        (("--set", "max_num_seqs"), "--set max_num_seqs has no value; write --set max_num_seqs=VALUE."),
        (("--set", "max_num_seqs=many"), "engine.max_num_seqs is the text 'many'; "),
        (("--compare", "tuned", "tuned+x"), "scenario 'x' does not exist: "),
        (("--region", "mars-north1"), None),
    ],
)
def test_what_does_not_exist_is_one_sentence(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    sentence: str | None,
) -> None:
    monkeypatch.chdir(REPOSITORY)
    code, text, error = shown(capsys, "engine", *arguments)
    if sentence is None:
        assert code == 0 and not error and "mars-north1" in text
    else:
        assert code == 2 and not text
        assert error.startswith(sentence) and error.count("\n") == 1


def test_a_stack_file_is_read_as_pulumi_reads_it(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.mine.yaml").write_text(
        "config:\n"
        "  tpuserve:target: {kind: local}\n"
        "  tpuserve:phase: tuned\n"
        "  tpuserve:accelerator: v6e-8\n"
        '  tpuserve:longest_request_seconds: "60"\n'
        "  tpuserve:engine: '{\"max_num_seqs\": 32}'\n"
        "  other:phase: nonsense\n",
        "utf-8",
    )
    asked = from_name("mine", tmp_path)
    assert (asked.candidate.accelerator.name, asked.candidate.model.name) == ("v6e-8", "gemma-4-26b-a4b-it")
    assert (asked.candidate.engine.max_num_seqs, asked.lifecycle.shutdown_timeout_seconds) == (32, 60)


def test_a_stack_shows_the_load_that_it_expects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = {
        "tpuserve:target": {
            "kind": "gke",
            "project": "my-project",
            "zone": "us-east5-b",
            "capacity": {"kind": "spot"},
        },
        "tpuserve:model_revision": "0" * 40,
        "tpuserve:image": f"vllm/vllm-tpu:v0.32.0@sha256:{'0' * 64}",
        "tpuserve:expected_load": {"load": "rate=1 prompt=123 answer=45"},
    }
    (tmp_path / "Pulumi.mine.yaml").write_text(json.dumps({"config": stack}), "utf-8")
    monkeypatch.chdir(tmp_path)
    _, text, _ = shown(capsys, "engine", "--stack", "mine")
    assert "EXPECTED LOAD" in text and "rate=1 prompt=123 answer=45" in text
    assert "not simulated: run `make simulate STACK=NAME`" in text
    assert "nobody has simulated this engine with it" in text
    assert "one slice, spot, us-east5" in text
    _, text, _ = shown(capsys, "engine", "--stack", "mine", "--provisioning", "on-demand")
    assert "one slice, on-demand, us-east5" in text


def test_a_stack_named_like_a_phase_is_reached_by_its_prefix(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.peak.yaml").write_text(
        "config:\n  tpuserve:target: {kind: local}\n  tpuserve:phase: baseline\n", "utf-8"
    )
    assert from_name("peak", tmp_path).candidate.model.name == "gemma-4-26b-a4b-it"
    assert from_name("stack:peak", tmp_path).candidate.model.name == "gemma-4-e4b-it"


def test_the_model_is_the_phases_unless_named() -> None:
    assert from_phase("x", phase="baseline").candidate.model.name == "gemma-4-e4b-it"
    assert (
        from_phase("x", phase="baseline", model_name="gemma-4-e2b-it").candidate.model.name
        == "gemma-4-e2b-it"
    )


def test_the_lists_name_everything(capsys: pytest.CaptureFixture[str]) -> None:
    _, text, _ = shown(capsys, "phases")
    assert all(name in text for name in (*PHASES, *SCENARIOS))
    for command, name in (("models", "gemma-4-31b-it"), ("accelerators", "local-v6e-4")):
        assert name in shown(capsys, command)[1]


def test_importing_serving_costs_little_beyond_pydantic() -> None:
    """Both measured in one fresh process, so that a slow machine slows both alike."""
    script = (
        "import time\n"
        "began = time.process_time()\n"
        "import pydantic, yaml, json\n"
        "from pydantic import BaseModel, Field\n"
        "class Warm(BaseModel):\n    x: int = Field(0, ge=0)\n"
        "after = time.process_time()\n"
        "import serving.findings, serving.engine.phases, serving.deploy.release, serving.startup.timeouts\n"
        "print((time.process_time() - after) / (after - began))\n"
    )
    run = [sys.executable, "-c", script]

    def share() -> float:
        return float(subprocess.run(run, capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout)

    assert any(share() < 0.75 for _ in range(3))


def test_output_into_a_closed_pipe_ends_quietly() -> None:
    command = f"{sys.executable} -m explain engine --json | head -1"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=REPOSITORY)
    assert result.stderr == "" and result.stdout == "{\n"


def test_the_old_command_names_the_new_one() -> None:
    old = subprocess.run(
        [sys.executable, "-m", "serving", "explain"], capture_output=True, text=True, cwd=REPOSITORY
    )
    assert old.returncode == 1 and "run `python -m explain engine` instead" in old.stderr
