"""One cell: what is measured, what rejects it, and where the key is."""

import itertools
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.load_test import cell as cell_module
from agent.load_test.cell import Cell, Subject, command, measure
from agent.load_test.counters import Addresses, Counters, NotReadable
from tests.unit.agent.load_test.test_prompts import Letters

CELL = Cell(concurrency=4, prompt_tokens=20, output_tokens=8, requests=8)
BEFORE = Counters(prefix_cache_hits=100, preemptions=1, ended=50, open=0, compiled=2)
AFTER = replace(BEFORE, ended=58)
REPORT = {
    "completed": 8,
    "failed": 0,
    "output_throughput": 64.04,
    "total_token_throughput": 224.2,
    **{f"{share}_{name}_ms": 12.3456 for share in ("p50", "p95") for name in ("ttft", "tpot", "e2el")},
}
KEY = "the-key-of-the-clients"

PROGRAM = f"""#!{sys.executable}
import json, os, sys
from pathlib import Path
words = sys.argv[1:]
values = dict(zip(words, words[1:]))
here = Path(__file__).parent
prompts = [json.loads(line)["prompt"] for line in open(values["--dataset-path"])]
(here / "seen.json").write_text(json.dumps({{"words": words, "prompts": prompts, "env": dict(os.environ)}}))
Path(values["--result-dir"], values["--result-filename"]).write_text((here / "answer.json").read_text())
"""


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    """Returns a server whose `vllm` writes what it got and answers what the test has set."""
    program = tmp_path / "vllm"
    program.write_text(PROGRAM, "utf-8")
    program.chmod(0o755)
    (tmp_path / "answer.json").write_text(json.dumps(REPORT), "utf-8")
    (tmp_path / "key").write_text(f"{KEY}\nan-older-key\n", "utf-8")
    return Subject(Addresses("http://10.0.0.7:8000", None), "tiny", tmp_path, tmp_path / "key", str(program))


def result(
    monkeypatch: pytest.MonkeyPatch,
    subject: Subject,
    *counts: Counters | NotReadable,
    seed: int | None = None,
) -> dict[str, Any]:
    """Returns the result of the cell on a server whose counters are `counts`, one after the other."""
    left = list(counts)

    def idle(_: Addresses) -> Counters:
        value = left.pop(0)
        if isinstance(value, NotReadable):
            raise value
        return value

    monkeypatch.setattr(cell_module.counters, "idle", idle)
    return measure(CELL, subject, Letters(), seed)


def seen(subject: Subject) -> dict[str, Any]:
    return json.loads(Path(subject.program).with_name("seen.json").read_text("utf-8"))


def test_a_cell_has_the_benchmark_s_numbers_and_the_server_s(
    monkeypatch: pytest.MonkeyPatch, subject: Subject
) -> None:
    found = result(monkeypatch, subject, BEFORE, replace(AFTER, preemptions=3, compiled=2))
    assert (found["cell"], found["state"], found["sentence"]) == ("c4-p20-o8", "measured", "")
    assert found["time_to_first_token_ms"] == {"p50": 12.35, "p95": 12.35}
    assert found["output_tokens_per_second"] == 64.0
    assert (found["prefix_cache_hits"], found["preemptions"], found["compiled"]) == (0, 2, 0)


def test_failed_requests_are_a_result(monkeypatch: pytest.MonkeyPatch, subject: Subject) -> None:
    answer = {**REPORT, "completed": 0, "failed": 8}
    Path(subject.program).with_name("answer.json").write_text(json.dumps(answer), "utf-8")
    found = result(monkeypatch, subject, BEFORE, BEFORE)
    assert (found["state"], found["failures"], found["time_to_first_token_ms"]) == ("measured", 8, None)


REJECTED = [
    (
        replace(AFTER, prefix_cache_hits=1_124),
        "c4-p20-o8 is rejected: 1,024 prompt tokens came from the prefix cache, so these times are too "
        "short.",
    ),
    (
        replace(AFTER, ended=61),
        "c4-p20-o8 is rejected: the server also answered 3 requests of other clients.",
    ),
    (
        replace(AFTER, ended=8, prefix_cache_hits=0),
        "c4-p20-o8 is rejected: the server restarted during the cell.",
    ),
    (NotReadable("X does not answer"), "c4-p20-o8 was not measured: X does not answer."),
]


@pytest.mark.parametrize(("after", "sentence"), REJECTED)
def test_a_cell_that_shows_something_else_is_rejected(
    monkeypatch: pytest.MonkeyPatch, subject: Subject, after: Counters | NotReadable, sentence: str
) -> None:
    found = result(monkeypatch, subject, BEFORE, after)
    assert (found["state"], found["sentence"]) == ("rejected", sentence)


def test_a_benchmark_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, subject: Subject) -> None:
    Path(subject.program).write_text("#!/bin/sh\necho first; echo 'no such model' >&2; exit 3\n", "utf-8")
    found = result(monkeypatch, subject, BEFORE)
    assert found["sentence"] == (
        "c4-p20-o8 was not measured: `vllm bench serve` ended with code 3 (no such model)."
    )


def test_the_key_is_in_the_environment_of_the_benchmark_only(
    monkeypatch: pytest.MonkeyPatch, subject: Subject
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid")
    monkeypatch.setenv("USER", "vllm")
    found = result(monkeypatch, subject, BEFORE, AFTER)
    saw = seen(subject)
    assert saw["env"]["OPENAI_API_KEY"] == KEY and "HTTP_PROXY" not in saw["env"]
    assert saw["env"]["USER"] == "vllm", "PyTorch asks for it where the user has no name"
    assert KEY not in json.dumps(saw["words"]) + json.dumps(found)
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-for-another-server")
    result(monkeypatch, replace(subject, api_key_file=None), BEFORE, AFTER)
    assert "OPENAI_API_KEY" not in seen(subject)["env"]


def test_each_measurement_sends_other_prompts(monkeypatch: pytest.MonkeyPatch, subject: Subject) -> None:
    first = result(monkeypatch, subject, BEFORE, AFTER)
    prompts = seen(subject)["prompts"]
    second = result(monkeypatch, subject, BEFORE, AFTER)
    assert len(set(prompts)) == CELL.requests and not set(prompts) & set(seen(subject)["prompts"])
    assert first["seed"] != second["seed"]
    result(monkeypatch, subject, BEFORE, AFTER, seed=first["seed"])
    assert seen(subject)["prompts"] == prompts, "the recorded seed gives the prompts again"


def test_nothing_is_sent_before_the_cell(subject: Subject) -> None:
    """Both would send the cell's first prompt, which then hits the prefix cache."""
    words = command(CELL, subject, Path("d"), Path("f"))
    values = dict(itertools.pairwise(words))
    assert (values["--ready-check-timeout-sec"], values["--num-warmups"]) == ("0", "0")
    assert (values["--num-prompts"], values["--max-concurrency"]) == ("8", "4")
